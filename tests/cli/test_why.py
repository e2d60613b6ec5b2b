"""`partywall jobs why` and `partywall tenants top`."""

import json

from cli.exit_codes import ExitCode
from db.roles import Role
from db.session import platform_connection
from db.workers import register
from tests.cli.conftest import Run
from tests.databases import Database, TestTenant
from tests.db.work import TASK, TESTS, dispatch_all, enqueue_one, finish_all, suspend


def test_it_says_what_a_job_waits_for_and_what_to_do(acme: TestTenant, partywall: Run) -> None:
    job_id = enqueue_one(acme)
    suspend(acme)

    result = partywall("jobs", "why", job_id)

    assert result.exit_code == 0
    assert "suspended" in result.stdout
    assert "partywall tenants resume acme" in result.stdout
    assert json.loads(partywall("jobs", "why", job_id, "--json").stdout) == {
        "id": str(job_id),
        "tenant": "acme",
        "state": "queued",
        "waiting_on": {"reason": "suspended", "until": None, "ahead": None, "seconds": None},
    }


def test_it_says_how_many_are_ahead(database: Database, acme: TestTenant, partywall: Run) -> None:
    with platform_connection(Role.WORKER) as connection:
        register(connection, TESTS, pool="threads", queues=["default"], slots=2)
    database.do("insert into partywall_private.run_times values (:task, null, 60, 100)", task=TASK)
    *_, last = [enqueue_one(acme) for _ in range(5)]
    dispatch_all(batch_limit=0)

    said = partywall("jobs", "why", last).stdout

    assert "4 of its tenant's jobs" in said
    assert "2m" in said or "120" in said


def test_it_says_where_to_look_for_who_does_not_claim(acme: TestTenant, partywall: Run) -> None:
    with platform_connection(Role.WORKER) as connection:
        register(connection, TESTS, pool="threads", queues=["default"])
    job_id = enqueue_one(acme)
    for _ in range(3):
        dispatch_all(resend_after=0)

    said = partywall("jobs", "why", job_id).stdout

    assert "not_claimed" in said
    assert f"No worker that serves default knows {TASK}, or they are all busy" in said
    assert "message_refused" in said


def test_it_says_when_a_rate_lets_it_go_on(acme: TestTenant, partywall: Run) -> None:
    with platform_connection(Role.WORKER) as connection:
        register(connection, TESTS, pool="threads", queues=["default"])
    partywall("tenants", "limit", "acme", "--rate", "0.01", "--burst", "1")
    *_, last = [enqueue_one(acme) for _ in range(5)]
    dispatch_all()

    said = partywall("jobs", "why", last).stdout

    assert "3 of its tenant's jobs" in said
    assert "until:" in said


def test_what_is_over_waits_for_nothing(acme: TestTenant, partywall: Run) -> None:
    job_id = enqueue_one(acme)
    finish_all(dispatch_all())

    assert "It waits for nothing: it is over." in partywall("jobs", "why", job_id).stdout


def test_nobodys_job_is_not_found(acme: TestTenant, partywall: Run) -> None:
    assert partywall("jobs", "why", acme.id).exit_code == ExitCode.REFUSED


def test_the_busiest_tenants(acme: TestTenant, zeta: TestTenant, partywall: Run) -> None:
    for _ in range(3):
        enqueue_one(acme)
    dispatch_all(batch_limit=1)

    said = partywall("tenants", "top")
    (load,) = json.loads(partywall("tenants", "top", "--json").stdout)["tenants"]

    assert said.exit_code == 0
    assert "acme" in said.stdout
    assert (load["slug"], load["dispatched"], load["queued"], load["waits_for"]) == ("acme", 1, 2, None)


def test_nobody_is_busy(acme: TestTenant, partywall: Run) -> None:
    result = partywall("tenants", "top")

    assert (result.exit_code, "No tenant has work" in result.stderr) == (0, True)
