"""`partywall check` of the roles' DSNs: each failure is arranged for real."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from cli.check import Part
from cli.stack.ports import any_free_port
from cli.stack.postgres import EmbeddedPostgres
from db.diagnosis import Verdict, judge_version
from db.roles import Role
from tests.cli.conftest import Run, point
from tests.cli.pooler import pooler_before
from tests.databases import PASSWORD, Database

Diagnose = Callable[[Role], list[dict[str, Any]]]


@pytest.fixture
def found(partywall: Run) -> Diagnose:
    """A function that returns what `check` finds about one role."""

    def check(role: Role) -> list[dict[str, Any]]:
        result = partywall("check", role.value, "--json")
        checks: list[dict[str, Any]] = json.loads(result.stdout)["checks"]
        assert result.exit_code == (1 if any(each["verdict"] == "fail" for each in checks) else 0)
        return checks

    return check


def only(checks: list[dict[str, Any]], *, verdict: str = "fail") -> tuple[str, str]:
    """Return words and fix of the one finding."""
    (finding,) = checks
    assert finding["verdict"] == verdict
    return finding["words"], finding["fix"]


def test_every_role_and_the_broker_are_checked(database: Database, broker_setting: None, partywall: Run) -> None:
    result = partywall("check", "--json")

    report = json.loads(result.stdout)
    assert result.exit_code == 0
    assert report["ok"] is True
    assert [each["what"] for each in report["checks"]] == [*Role, "broker", "tasks"]
    assert {each["verdict"] for each in report["checks"]} == {"ok"}


def test_every_role_can_be_checked_alone() -> None:
    assert list(Part) == [*Role, "broker", "result-backend", "tasks"]


def test_a_module_of_tasks_that_cannot_be_imported_is_named(partywall: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTYWALL_TASK_MODULES", "no_such_module")
    (finding,) = json.loads(partywall("check", "tasks", "--json").stdout)["checks"]

    assert finding["verdict"] == "fail"
    assert "No module named 'no_such_module'" in finding["words"]
    assert "Correct the setting" in finding["fix"]


def test_a_missing_setting_is_named(found: Diagnose, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PARTYWALL_WORKER_DATABASE_URL", raising=False)
    unset = only(found(Role.WORKER))
    monkeypatch.setenv("PARTYWALL_WORKER_DATABASE_URL", "")

    assert unset == (
        "PARTYWALL_WORKER_DATABASE_URL is not set",
        "Set it, or start the embedded stack with: partywall up.",
    )
    assert only(found(Role.WORKER)) == unset


@pytest.mark.parametrize(
    "url",
    ["mysql://a:hush@host/x", "postgresql://a:hush@[::1/x", "postgresql://a:hush%@host/x", "hush", "host=hush user=x"],
)
def test_a_malformed_dsn_is_not_repeated(found: Diagnose, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    point(monkeypatch, Role.WORKER, url)
    words, fix = only(found(Role.WORKER))

    assert "is not the DSN of a PostgreSQL database" in words
    assert "postgresql://login:password@host:port/database" in fix
    assert "hush" not in words + fix


def test_a_wrong_password_is_refused(
    postgres: EmbeddedPostgres, found: Diagnose, monkeypatch: pytest.MonkeyPatch
) -> None:
    point(monkeypatch, Role.WORKER, postgres.url("partywall_worker", "hush", "postgres"))
    words, fix = only(found(Role.WORKER))

    assert "refused the password of partywall_worker" in words
    assert "PARTYWALL_WORKER_DATABASE_URL" in fix
    assert "hush" not in words + fix


def test_no_password_is_told_from_a_wrong_one(
    postgres: EmbeddedPostgres, found: Diagnose, monkeypatch: pytest.MonkeyPatch
) -> None:
    point(monkeypatch, Role.WORKER, f"postgresql://partywall_worker@127.0.0.1:{postgres.port}/postgres")

    assert "asks for a password and there is none" in only(found(Role.WORKER))[0]


def test_a_closed_port_is_named(found: Diagnose, monkeypatch: pytest.MonkeyPatch) -> None:
    port = any_free_port()
    point(monkeypatch, Role.WORKER, f"postgresql://partywall_worker:x@127.0.0.1:{port}/x")

    assert only(found(Role.WORKER)) == (
        f"nothing listens at 127.0.0.1:{port}",
        "Correct host and port of PARTYWALL_WORKER_DATABASE_URL, or start PostgreSQL there.",
    )


def test_a_host_without_an_address_is_named(found: Diagnose, monkeypatch: pytest.MonkeyPatch) -> None:
    point(monkeypatch, Role.WORKER, "postgresql://partywall_worker:x@no-such-host.invalid/x")

    assert only(found(Role.WORKER))[0] == "the host of no-such-host.invalid:5432 has no address"


def test_a_server_that_does_not_answer_costs_its_timeout(
    found: Diagnose, monkeypatch: pytest.MonkeyPatch, silent_port: int
) -> None:
    monkeypatch.setenv("PARTYWALL_CONNECT_TIMEOUT_SECONDS", "1")
    point(monkeypatch, Role.WORKER, f"postgresql://partywall_worker:x@127.0.0.1:{silent_port}/x")

    assert only(found(Role.WORKER))[0] == f"no answer from 127.0.0.1:{silent_port} in time"


def test_a_missing_database_is_named(
    postgres: EmbeddedPostgres, found: Diagnose, monkeypatch: pytest.MonkeyPatch
) -> None:
    point(monkeypatch, Role.WORKER, postgres.url("partywall_worker", PASSWORD, "nowhere"))

    assert "there is no database nowhere" in only(found(Role.WORKER))[0]


def test_a_database_that_was_not_bootstrapped_lets_nobody_in(own_database: Database, found: Diagnose) -> None:
    own_database.do(f"revoke connect on database {own_database.name} from partywall_worker")

    assert only(found(Role.WORKER)) == (
        f"partywall_worker may not connect to the database {own_database.name}",
        "Run: partywall bootstrap",
    )


def test_another_roles_login_is_found(database: Database, found: Diagnose, monkeypatch: pytest.MonkeyPatch) -> None:
    point(monkeypatch, Role.WORKER, database.url(Role.API))

    words, fix = only(found(Role.WORKER))
    assert words == "logs in as partywall_api, expected partywall_worker"
    assert fix == "Put the login partywall_worker into PARTYWALL_WORKER_DATABASE_URL."


def test_a_superusers_dsn_is_found(database: Database, found: Diagnose, monkeypatch: pytest.MonkeyPatch) -> None:
    point(monkeypatch, Role.WORKER, database.admin_url)
    wrong, superuser = found(Role.WORKER)

    assert wrong["words"] == "logs in as postgres, expected partywall_worker"
    assert superuser["words"] == "postgres is a superuser: row-level security does not bind it"


def test_bypassrls_is_found(database: Database, found: Diagnose) -> None:
    database.do("alter role partywall_worker bypassrls")
    try:
        words, _ = only(found(Role.WORKER))
    finally:
        database.do("alter role partywall_worker nobypassrls")

    assert words == "partywall_worker has BYPASSRLS: it sees every tenant's rows"


def test_a_login_that_is_two_roles_is_found(database: Database, found: Diagnose) -> None:
    database.do("grant partywall_dispatcher to partywall_worker")
    try:
        words, fix = only(found(Role.WORKER))
    finally:
        database.do("revoke partywall_dispatcher from partywall_worker")

    assert words == "partywall_worker is a member of partywall_dispatcher: no login may be two"
    assert fix == "revoke partywall_dispatcher from partywall_worker;"


def test_the_owner_of_a_tenants_table_is_found(own_database: Database, found: Diagnose) -> None:
    own_database.do("create table app.mine (); alter table app.mine owner to partywall_worker")
    words, fix = only(found(Role.WORKER))

    assert words == "partywall_worker owns table app.mine: it could switch the wall off"
    assert "alter table app.mine owner to partywall_owner" in fix


def test_a_migrator_that_may_not_become_the_owner_is_found(database: Database, found: Diagnose) -> None:
    database.do("revoke partywall_owner from partywall_migrator")
    try:
        words, fix = only(found(Role.MIGRATOR))
    finally:
        database.do("grant partywall_owner to partywall_migrator")

    assert words == "partywall_migrator may not act as partywall_owner: it cannot migrate"
    assert fix == "Run: partywall bootstrap"


def test_a_missing_backup_role_is_a_warning(database: Database, found: Diagnose) -> None:
    database.do("alter role partywall_backup rename to put_away")
    try:
        ok, warning = found(Role.MIGRATOR)
    finally:
        database.do("alter role put_away rename to partywall_backup")

    assert (ok["verdict"], warning["verdict"]) == ("ok", "warn")
    assert "partywall_backup" in warning["words"]


def test_a_database_that_was_never_migrated_is_found(empty_database: Database, found: Diagnose) -> None:
    for role in (Role.MIGRATOR, Role.WORKER):
        assert only(found(role)) == (
            "the database was never migrated",
            "Run: partywall bootstrap, then: partywall migrate",
        )


def test_an_older_schema_is_found(own_database: Database, found: Diagnose) -> None:
    own_database.do("update partywall_private.installed_files set sha256 = '' where path = 'functions/claim.sql'")

    for role in (Role.MIGRATOR, Role.WORKER):
        assert only(found(role)) == (
            "the database's schema is older than this code (file functions/claim.sql)",
            "Run: partywall migrate.",
        )


def test_a_newer_schema_is_found(own_database: Database, found: Diagnose) -> None:
    own_database.do("update partywall.alembic_version set version_num = '9999'")

    for role in (Role.MIGRATOR, Role.WORKER):
        assert "newer than this code (revision 9999, " in only(found(role))[0]


def test_missing_grants_are_told_from_a_missing_schema(own_database: Database, found: Diagnose) -> None:
    own_database.do("revoke usage on schema partywall from partywall_worker")
    words, fix = only(found(Role.WORKER))

    assert words == "partywall_worker lacks its rights in the schema partywall"
    assert fix == "Run: partywall migrate"


def test_a_pooler_before_the_dispatcher_is_a_warning(
    database: Database, found: Diagnose, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pooler_before(database.url(Role.DISPATCHER)) as through:
        point(monkeypatch, Role.DISPATCHER, through)
        ok, warning = found(Role.DISPATCHER)

    assert (ok["verdict"], warning["verdict"]) == ("ok", "warn")
    assert "a pooler stands in between" in warning["words"]


@pytest.mark.parametrize(
    ("number", "verdicts"),
    [(140011, [Verdict.FAIL]), (150000, []), (180004, []), (190000, [Verdict.WARN])],
)
def test_postgresql_15_to_18_are_supported(number: int, verdicts: list[Verdict]) -> None:
    assert [finding.verdict for finding in judge_version(number)] == verdicts


def test_the_table_names_what_fails_and_how_to_mend_it(
    database: Database, partywall: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PARTYWALL_WORKER_DATABASE_URL")
    result = partywall("check", "api", "worker")

    assert result.exit_code == 1
    assert [line.split()[:2] for line in result.stdout.splitlines()] == [
        ["WHAT", "VERDICT"],
        ["api", "ok"],
        ["worker", "fail"],
    ]
    assert result.stderr == "Failed: 1 of 2.\n"
