"""`partywall enqueue`."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.databases import Database, TestTenant

IMPORT = "orders.import_csv"
PAYLOAD = '{"file": "orders.csv"}'


def shown(partywall: Run, job_id: str) -> dict[str, Any]:
    """Return the job as `jobs show --json` does."""
    job: dict[str, Any] = json.loads(partywall("jobs", "show", job_id, "--json").stdout)
    return job


def test_the_printed_id_is_a_job_of_the_tenant(acme: TestTenant, partywall: Run) -> None:
    result = partywall("enqueue", "acme", IMPORT, "--payload", PAYLOAD)

    job = shown(partywall, result.stdout.strip())
    assert (job["tenant"], job["task"], job["state"], job["payload"]["file"]) == (
        "acme",
        IMPORT,
        "queued",
        "orders.csv",
    )


def test_the_payload_may_come_from_a_file_or_stdin(acme: TestTenant, partywall: Run, tmp_path: Path) -> None:
    file = tmp_path / "payload.json"
    file.write_text(PAYLOAD)

    from_file = partywall("enqueue", "acme", IMPORT, "--payload", f"@{file}", "--json")
    from_stdin = partywall("enqueue", "acme", IMPORT, "--payload", "-", "--json", input=PAYLOAD)

    for result in (from_file, from_stdin):
        assert shown(partywall, json.loads(result.stdout)["id"])["payload"]["file"] == "orders.csv"


def test_a_job_for_later_is_scheduled(acme: TestTenant, partywall: Run) -> None:
    result = partywall("enqueue", "acme", IMPORT, "--payload", PAYLOAD, "--run-at", "2999-12-01T03:00+01:00")

    job = shown(partywall, result.stdout.strip())
    assert (job["state"], job["run_at"]) == ("scheduled", "2999-12-01T02:00:00Z")


def test_the_same_request_sent_again_is_the_same_job(acme: TestTenant, partywall: Run) -> None:
    request = ("enqueue", "acme", IMPORT, "--payload", PAYLOAD, "--idempotency-key", "order-4711")
    first = json.loads(partywall(*request, "--json").stdout)
    again = partywall(*request)

    assert first["is_new"] is True
    assert (again.exit_code, again.stdout.strip()) == (0, first["id"])
    assert again.stderr == "Accepted before, under the same key.\n"
    assert json.loads(partywall(*request, "--json").stdout)["is_new"] is False
    other = partywall("enqueue", "acme", IMPORT, "--payload", '{"file": "b.csv"}', "--idempotency-key", "order-4711")
    assert (other.exit_code, other.stdout) == (3, "")
    assert "new key" in other.stderr


def test_a_unique_key_has_one_live_job(acme: TestTenant, partywall: Run) -> None:
    request = ("enqueue", "acme", IMPORT, "--payload", PAYLOAD, "--unique-key", "nightly")
    live = partywall(*request).stdout.strip()

    refused = partywall(*request)
    returned = partywall(*request, "--if-live", "return")

    assert (refused.exit_code, refused.stdout) == (3, "")
    assert live in refused.stderr
    assert (returned.exit_code, returned.stdout.strip()) == (0, live)
    assert shown(partywall, live)["unique_key"] == "nightly"


def test_a_job_may_expire(acme: TestTenant, partywall: Run) -> None:
    result = partywall("enqueue", "acme", IMPORT, "--payload", PAYLOAD, "--expires-at", "2999-12-01T03:00+01:00")

    assert shown(partywall, result.stdout.strip())["expires_at"] == "2999-12-01T02:00:00Z"


def test_a_job_may_go_before_others_of_its_tenant(acme: TestTenant, partywall: Run) -> None:
    result = partywall("enqueue", "acme", IMPORT, "--payload", PAYLOAD, "--priority", "-7")

    assert shown(partywall, result.stdout.strip())["priority"] == -7


def test_wishes_that_cannot_be_meant_are_bad_input(acme: TestTenant, partywall: Run) -> None:
    for options, said in (
        (("--expires-at", "tomorrow"), "--expires-at tomorrow is not a moment"),
        (("--run-at", "2999-01-01T01:00+01:00", "--expires-at", "2999-01-01T00:00Z"), "is not after --run-at"),
        (("--unique-key", ""), "--unique-key is empty"),
        (("--idempotency-key", ""), "--idempotency-key is empty"),
        (("--unique-key", "x" * 256), "at most 255 characters"),
        (("--if-live", "wait"), "--if-live"),
        (("--priority", "101"), "--priority"),
        (("--priority", "0.5"), "--priority"),
    ):
        result = partywall("enqueue", "acme", IMPORT, "--payload", PAYLOAD, *options)

        assert (result.exit_code, result.stdout) == (2, "")
        assert said in result.stderr
        assert result.stderr.count("\n") == 1


def test_a_payload_that_cannot_be_used_is_bad_input(acme: TestTenant, partywall: Run) -> None:
    for payload, said in (
        ('{"file": 1}', "the payload does not fit orders.import_csv: /file: "),
        ("{}", "/file: "),
        ("{file: 1}", "--payload is not JSON: "),
        ('{"file": NaN}', "NaN is not JSON"),
        ('{"file": "a\\u0000b"}', "cannot hold"),
        ("[" * 100_000, "nested too deeply"),
        ("@/no/such/file.json", "cannot read /no/such/file.json: No such file or directory"),
    ):
        result = partywall("enqueue", "acme", IMPORT, "--payload", payload)

        assert (result.exit_code, result.stdout) == (2, "")
        assert said in result.stderr
        assert result.stderr.count("\n") == 1


def test_a_moment_without_a_time_zone_or_sense_is_bad_input(partywall: Run) -> None:
    for moment in ("tomorrow", "2030-01-01", "2030-01-01T03:00", "9999-12-31T23:59:59-14:00"):
        result = partywall("enqueue", "acme", IMPORT, "--payload", PAYLOAD, "--run-at", moment)

        assert result.exit_code == 2
        assert f"--run-at {moment}" in result.stderr


def test_an_unknown_task_is_answered_with_those_there_are(acme: TestTenant, partywall: Run) -> None:
    for task in ("orders.imprt", "maintenance.fan_out"):
        result = partywall("enqueue", "acme", task)

        assert result.exit_code == 2
        listed = result.stderr.partition("There are: ")[2]
        assert all(name in listed for name in ("maintenance.prune_jobs", "orders.import_csv"))
        assert "maintenance.fan_out" not in listed


def test_a_task_module_that_does_not_exist_is_bad_input(
    acme: TestTenant, partywall: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARTYWALL_TASK_MODULES", "no_such_module")
    result = partywall("enqueue", "acme", IMPORT)

    assert result.exit_code == 2
    assert "no_such_module" in result.stderr


def test_an_unknown_or_suspended_tenant_is_refused(acme: TestTenant, partywall: Run) -> None:
    assert partywall("enqueue", "nobody", IMPORT, "--payload", PAYLOAD).exit_code == 3

    partywall("tenants", "suspend", "acme")
    result = partywall("enqueue", "acme", IMPORT, "--payload", PAYLOAD)
    assert result.exit_code == 3
    assert result.stderr.startswith("error: the tenant is suspended. ")


def test_nothing_is_enqueued_into_a_database_that_was_never_migrated(empty_database: Database, partywall: Run) -> None:
    # The operator's rights on the database come with bootstrap; here everybody may connect.
    result = partywall("enqueue", "acme", IMPORT, "--payload", PAYLOAD)

    assert result.exit_code == 3
    assert result.stderr == "error: the database was never migrated. Run: partywall migrate.\n"
