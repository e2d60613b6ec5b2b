"""`partywall jobs`."""

import json
from uuid import UUID, uuid4

from cli.database import operator_connection
from cli.jobs import find_job
from cli.waiting import wait_for_jobs
from db import attempts
from db.tenants import JobOverview
from tests.cli.conftest import Run
from tests.databases import Database, TestTenant
from tests.db.work import TESTS, body_of, claim_one, enqueue_one


def succeed(tenant: TestTenant, *, result: object = None) -> None:
    """Run the one job of the tenant that is ready."""
    with body_of(claim_one(tenant)) as connection:
        attempts.finish(connection, result=result)


def fail(tenant: TestTenant, *, error: dict[str, object]) -> None:
    """Let the one job of the tenant that is ready fail for good."""
    with body_of(claim_one(tenant)) as connection:
        attempts.fail(connection, error=error, retry_after_seconds=None)


def test_jobs_of_all_tenants_are_listed_newest_first(acme: TestTenant, zeta: TestTenant, partywall: Run) -> None:
    first, second = enqueue_one(acme), enqueue_one(zeta)

    listed = json.loads(partywall("jobs", "list", "--json").stdout)
    assert [(job["id"], job["tenant"]) for job in listed["jobs"]] == [(str(second), "zeta"), (str(first), "acme")]
    assert listed["more"] is False


def test_the_list_is_filtered_by_tenant_state_and_task(acme: TestTenant, zeta: TestTenant, partywall: Run) -> None:
    enqueue_one(zeta)
    failed = enqueue_one(acme)
    fail(acme, error={"type": "X", "message": "no"})
    enqueue_one(acme)

    def ids(*options: str) -> list[str]:
        return [job["id"] for job in json.loads(partywall("jobs", "list", "--json", *options).stdout)["jobs"]]

    assert ids("--tenant", "acme", "--state", "failed", "--task", "notes.write") == [str(failed)]
    assert ids("--task", "no.such_task") == []
    assert len(ids("--tenant", "acme")) == 2


def test_a_list_that_is_cut_says_so(acme: TestTenant, partywall: Run) -> None:
    for _ in range(3):
        enqueue_one(acme)

    result = partywall("jobs", "list", "--limit", 2)
    assert len(result.stdout.splitlines()) == 1 + 2
    assert "Raise --limit" in result.stderr
    assert json.loads(partywall("jobs", "list", "--limit", 2, "--json").stdout)["more"] is True


def test_an_unknown_tenant_is_not_an_empty_list(acme: TestTenant, partywall: Run) -> None:
    assert partywall("jobs", "list", "--tenant", "acme").exit_code == 0
    assert partywall("jobs", "list", "--tenant", "nobody").exit_code == 3


def test_an_unknown_state_is_bad_input(database: Database, partywall: Run) -> None:
    result = partywall("jobs", "list", "--state", "done")

    assert result.exit_code == 2
    assert result.stderr.startswith("error: invalid value for '--state': 'done' is not one of 'scheduled', ")
    assert result.stderr.count("\n") == 1


def test_a_job_is_shown_with_what_its_tenant_wrote(acme: TestTenant, partywall: Run) -> None:
    job_id = enqueue_one(acme, payload={"file": "orders.csv"})
    attempt = claim_one(acme)
    attempts.report_progress(attempt.context, current=3, total=9, note="rows")
    with body_of(attempt) as connection:
        attempts.finish(connection, result={"rows": 9})

    job = json.loads(partywall("jobs", "show", job_id, "--json").stdout)
    assert (job["payload"], job["result"], job["error"]) == ({"file": "orders.csv"}, {"rows": 9}, None)
    assert job["progress"] == {"current": 3, "total": 9, "note": "rows"}
    text = partywall("jobs", "show", job_id).stdout
    assert "state:    succeeded" in text
    assert "progress: 3 of 9, rows" in text
    assert '"rows": 9' in text


def test_a_failed_job_is_shown_with_its_traceback(acme: TestTenant, partywall: Run) -> None:
    job_id = enqueue_one(acme)
    fail(acme, error={"type": "ValueError", "message": "no", "traceback": "Traceback:\n  line 1\nValueError: no\n"})

    text = partywall("jobs", "show", job_id).stdout
    assert "error:\n  ValueError: no\n  Traceback:\n    line 1\n" in text


def test_a_job_is_shown_with_its_attempts_and_who_ended_it(acme: TestTenant, partywall: Run) -> None:
    job_id = enqueue_one(acme, max_attempts=1)
    fail(acme, error={"type": "ValueError", "message": "no bread\nat all", "traceback": "Traceback:"})
    partywall("jobs", "retry", job_id)
    partywall("jobs", "cancel", job_id, "--reason", "never mind")

    job = json.loads(partywall("jobs", "show", job_id, "--json").stdout)
    (attempt,) = job["attempts"]
    assert (attempt["attempt"], attempt["outcome"], attempt["worker"]) == (1, "failed", TESTS.name)
    assert attempt["error"]["traceback"] == "Traceback:"
    assert (job["cancelled_by"], job["cancel_reason"]) == ("operator/partywall_operator", "never mind")
    text = partywall("jobs", "show", job_id).stdout
    assert "cancelled by: operator/partywall_operator\nbecause:      never mind\ntried:        1 of at most 2\n" in text
    last = text.splitlines()[-1]
    assert last.startswith("1        failed   ")
    assert last.endswith(f"{TESTS.name}  ValueError: no bread")


def test_what_went_wrong_with_its_workers_is_shown_once_something_did(
    acme: TestTenant, database: Database, partywall: Run
) -> None:
    job_id = enqueue_one(acme)
    assert "lost" not in partywall("jobs", "show", job_id).stdout
    database.do("update partywall.jobs set attempt = 3, handed_back = 1, lost = 2 where id = :id", id=job_id)

    text = partywall("jobs", "show", job_id).stdout

    assert "tried:       2 of at most 3\nhanded back: 1\nlost:        2; 3 are too many\n" in text


def test_what_a_tenant_wrote_cannot_steer_the_terminal(acme: TestTenant, partywall: Run) -> None:
    job_id = enqueue_one(acme)
    fail(acme, error={"type": "X", "message": "\x1b[2J\x9b31m [bold]gone"})

    shown = partywall("jobs", "show", job_id).stdout
    assert "\\x1b[2J\\x9b31m [bold]gone" in shown
    assert "\x1b" not in shown


def test_an_unknown_job_is_refused(database: Database, partywall: Run) -> None:
    for command in ("show", "wait"):
        result = partywall("jobs", command, uuid4())

        assert (result.exit_code, result.stdout) == (3, "")
        assert "no job has this id" in result.stderr


def test_waiting_ends_with_0_when_all_succeeded(acme: TestTenant, partywall: Run) -> None:
    job_id = enqueue_one(acme)
    succeed(acme)

    result = partywall("jobs", "wait", job_id, job_id, "--json")
    waited = json.loads(result.stdout)
    assert result.exit_code == 0
    assert [job["state"] for job in waited["jobs"]] == ["succeeded"]
    assert waited["timed_out"] is False


def test_waiting_ends_with_1_when_one_failed(acme: TestTenant, zeta: TestTenant, partywall: Run) -> None:
    good = enqueue_one(acme)
    succeed(acme)
    bad = enqueue_one(zeta)
    fail(zeta, error={"type": "X", "message": "no"})

    assert partywall("jobs", "wait", good, bad).exit_code == 1


def test_waiting_ends_with_124_at_the_deadline(acme: TestTenant, partywall: Run) -> None:
    job_id = enqueue_one(acme)
    result = partywall("jobs", "wait", job_id, "--timeout", "0.2", "--json")

    assert result.exit_code == 124
    assert json.loads(result.stdout)["timed_out"] is True
    assert result.stderr == "1 of 1 not over after 0.2 s.\n"


def test_waiting_goes_on_until_the_job_is_over(acme: TestTenant) -> None:
    job_id = enqueue_one(acme)
    states: list[str] = []

    with operator_connection() as connection:

        def ask(asked_for: UUID) -> JobOverview:
            if len(states) == 2:
                succeed(acme)
            job = find_job(connection, asked_for)
            states.append(job.state)
            return job

        (job,) = wait_for_jobs([job_id], ask=ask, timeout_seconds=20)

    assert job.state == "succeeded"
    assert states == ["queued", "queued", "succeeded"]
