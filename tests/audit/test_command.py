"""`partywall audit`, as a person, a program and code scanning get to see it."""

import io
import json
from typing import Any

import pytest
from rich.console import Console

from cli.audit import screen
from db import guard
from db.audit.catalogue import every_check
from db.roles import Role
from tests.audit.zoo.defect import GOOD, TABLE
from tests.cli.conftest import Run
from tests.cli.conftest import partywall as partywall
from tests.databases import Database
from tests.db.conftest import own_database as own_database

SHARED = (
    "create table app.countries (code text primary key); revoke insert, update, delete on app.countries"
    " from partywall_worker; comment on table app.countries is 'partywall: shared, the same for everybody';"
)


def owner(database: Database, statements: str) -> None:
    database.do(f"set role partywall_owner; {statements}")


def test_a_database_with_nothing_wrong_answers_0(own_database: Database, partywall: Run) -> None:
    result = partywall("audit")

    assert result.exit_code == 0
    told = result.stdout.splitlines()
    assert told[0] == "exempted"
    assert told[1].endswith(" of the platform's own: --json lists them")
    assert told[-1].startswith("app, partywall as 6 logins: nothing found, ")


def test_without_a_schema_the_platforms_own_tables_are_judged_too(own_database: Database, partywall: Run) -> None:
    own_database.do("alter table partywall.jobs disable row level security")

    report = json.loads(partywall("audit", "--json").stdout)

    assert report["schemas"] == ["app", "partywall"]
    assert {finding["object"] for finding in report["findings"]} == {"partywall.jobs"}


def test_without_a_schema_those_that_the_guard_watches_are_judged_mended_and_probed(
    own_database: Database, partywall: Run
) -> None:
    own_database.do("create schema billing authorization partywall_owner")
    own_database.do("grant usage on schema billing to partywall_worker")
    owner(own_database, TABLE.replace("app.", "billing."))
    owner(own_database, "grant select, insert, update, delete on billing.t to partywall_worker")
    guard.install(own_database.admin_url)
    own_database.do("insert into partywall_guard.schemas values ('billing')")

    found = json.loads(partywall("audit", "--json").stdout)
    mended = json.loads(partywall("audit", "--fix", "--probe", "--json").stdout)

    assert found["schemas"] == mended["schemas"] == ["app", "billing", "partywall"]
    assert ("rls-disabled", "billing.t") in [(each["check"], each["object"]) for each in found["findings"]]
    assert "select partywall.protect('billing.t');" in [each["sql"] for each in mended["fixes"]]
    assert mended["counts"]["critical"] == mended["counts"]["high"] == 0


def test_a_finding_is_told_with_its_reason_and_the_exact_sql(own_database: Database, partywall: Run) -> None:
    owner(own_database, f"{TABLE} {SHARED}")

    result = partywall("audit")

    assert result.exit_code == 1
    told = result.stdout.splitlines()
    assert told[:5] == [
        "critical: rls-disabled",
        "  Without row-level security every statement reads and writes every tenant's rows, whatever its context.",
        "  app.t",
        "    has a column tenant_id, and row-level security is off",
        "    fix: select partywall.protect('app.t');",
    ]
    assert told[6:8] == ["exempted", "  app.countries: shared, the same for everybody"]
    assert told[8].endswith(" of the platform's own: --json lists them")
    assert told[-1].startswith("app, partywall as 6 logins: 1 critical, ")


def test_what_is_only_medium_answers_0(own_database: Database, partywall: Run) -> None:
    owner(own_database, f"{GOOD} grant select on app.t to public")

    result = partywall("audit", "--json")

    assert result.exit_code == 0
    assert json.loads(result.stdout)["counts"] == {"critical": 0, "high": 0, "medium": 1, "low": 0}


def test_high_answers_1(own_database: Database, partywall: Run) -> None:
    owner(own_database, f"{GOOD} alter table app.t no force row level security")

    result = partywall("audit", "--json")

    assert result.exit_code == 1
    assert json.loads(result.stdout)["ok"] is False


@pytest.mark.parametrize("width", [80, 120])
def test_a_terminal_breaks_words_and_leaves_sql_whole(
    width: int, own_database: Database, partywall: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner(own_database, f"{TABLE} alter table app.t add constraint a_body_is_somebodys_own unique (body)")
    seen = io.StringIO()
    monkeypatch.setattr(screen, "out", Console(file=seen, force_terminal=True, width=width, no_color=True))

    partywall("audit")

    lines = seen.getvalue().splitlines()
    sql = [line for line in lines if "fix" in line]
    assert all(len(line) <= width + len("\x1b[1m\x1b[0m") for line in lines if line not in sql)
    assert any("add constraint a_body_is_somebodys_own UNIQUE (tenant_id, body);" in line for line in sql)


def test_the_json_has_the_shape_that_is_promised(own_database: Database, partywall: Run) -> None:
    owner(own_database, f"{TABLE} {SHARED} grant truncate on app.t to partywall_worker")

    report = json.loads(partywall("audit", "--json", "--schema", "app").stdout)

    assert list(report) == [
        *("ok", "schemas", "roles", "counts", "findings", "exemptions", "fixes", "probes", "seconds"),
    ]
    assert (report["schemas"], report["roles"]) == (["app"], [role.login for role in Role])
    assert report["findings"][1] == {
        "check": "truncate-granted",
        "severity": "critical",
        "object": "app.t",
        "part": None,
        "role": "partywall_worker",
        "message": "TRUNCATE is granted to partywall_worker",
        "why": "TRUNCATE asks no policy: it empties the table for every tenant.",
        "fix": "revoke truncate on app.t from partywall_worker;",
        "fixed_by": "owner",
    }
    assert report["exemptions"] == [
        {"object": "app.countries", "part": None, "check": None, "reason": "the same for everybody"}
    ]


def test_fix_prints_every_statement_and_what_remains(own_database: Database, partywall: Run) -> None:
    owner(own_database, f"{TABLE} create unique index one_body on app.t (body)")

    result = partywall("audit", "--fix")

    assert result.exit_code == 1
    told = result.stdout.splitlines()
    assert told[:2] == ["ran", "  select partywall.protect('app.t');"]
    assert "high: unique-without-tenant" in told
    assert partywall("audit", "--json", "--fix").exit_code == 1
    owner(own_database, "drop index app.one_body")
    assert partywall("audit").exit_code == 0


def test_probe_plays_attacks_and_names_the_table_and_the_attack(own_database: Database, partywall: Run) -> None:
    held = partywall("audit", "--probe")
    owner(own_database, TABLE)
    broken = partywall("audit", "--probe", "--json")

    assert held.exit_code == 0
    assert "attacks on 10 objects as partywall_worker." in held.stdout
    assert "logins: nothing found, " in held.stdout
    assert broken.exit_code == 1
    report = json.loads(broken.stdout)
    assert ("probe-read", "app.t") in {(finding["check"], finding["object"]) for finding in report["findings"]}
    (probe,) = report["probes"]
    assert probe["role"] == "partywall_worker"
    assert {"object": "app.t", "attacks": 22} in probe["objects"]


def test_a_superusers_dsn_probes_as_any_login(own_database: Database, partywall: Run) -> None:
    result = partywall(
        "audit", "--probe", "--json", "--database-url", own_database.admin_url,
        "--role", "partywall_worker", "--role", "partywall_api",
    )  # fmt: skip

    assert result.exit_code == 0
    assert [probe["role"] for probe in json.loads(result.stdout)["probes"]] == ["partywall_worker", "partywall_api"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--schema", "nowhere"], "there is no such schema to judge (schemas=nowhere)"),
        (["--role", "nobody"], "there is no such login to judge (roles=nobody)"),
        (["--probe", "--role", "partywall_api"], "only a superuser can act as another login"),
        (["--json", "--sarif"], "--json and --sarif are two answers"),
        (["--database-url", "hush"], "not the DSN of a PostgreSQL database (setting=--database-url)"),
    ],
)
def test_what_cannot_be_asked_answers_2(
    arguments: list[str], words: str, own_database: Database, partywall: Run
) -> None:
    result = partywall("audit", *arguments)

    assert result.exit_code == 2
    assert words in result.stderr
    assert "hush" not in result.stderr


def test_the_sarif_log_is_one(own_database: Database, partywall: Run) -> None:
    owner(own_database, f"{TABLE} {SHARED} grant select on app.t to public")

    result = partywall("audit", "--sarif")

    log = json.loads(result.stdout)
    assert (result.exit_code, log["version"]) == (1, "2.1.0")
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == [check.id for check in every_check()]
    for rule in rules:
        assert rule["shortDescription"]["text"]
        assert rule["fullDescription"]["text"].endswith(".")
        assert rule["help"]["text"]
        assert rule["defaultConfiguration"]["level"] in ("error", "warning", "note")
    for found in run["results"]:
        assert_valid(found, rules)
    open_ones = {(found["ruleId"], found["level"]) for found in run["results"] if "suppressions" not in found}
    assert open_ones == {("rls-disabled", "error"), ("granted-to-public", "warning")}
    (exempted,) = [found for found in run["results"] if _name(found) == "app.countries"]
    assert exempted["ruleId"] == "tenant-column-missing"
    assert exempted["suppressions"] == [{"kind": "inSource", "justification": "the same for everybody"}]


def _name(found: dict[str, Any]) -> str:
    name: str = found["locations"][0]["logicalLocations"][0]["fullyQualifiedName"]
    return name


def assert_valid(found: dict[str, Any], rules: list[dict[str, Any]]) -> None:
    """What section 3.27 of SARIF 2.1.0 asks of a result, as far as ours uses it."""
    assert rules[found["ruleIndex"]]["id"] == found["ruleId"]
    assert found["message"]["text"]
    assert found["level"] in ("error", "warning", "note")
    (location,) = found["locations"]
    assert location["physicalLocation"]["artifactLocation"]["uri"].startswith("database/")
    assert " " not in location["physicalLocation"]["artifactLocation"]["uri"]
    (logical,) = location["logicalLocations"]
    assert logical["fullyQualifiedName"].startswith(logical["name"])
    assert all(found["partialFingerprints"].values())
    assert all(each["kind"] == "inSource" for each in found.get("suppressions", []))
