"""`partywall jobs cancel` and `partywall jobs retry`."""

import json
from typing import Any
from uuid import UUID, uuid4

import pytest

from cli.retry import Ended
from db import attempts
from db.accepting import Wishes, accept
from db.roles import Role
from db.session import tenant_session
from db.steering import RETRYABLE
from tests.cli.conftest import Run
from tests.databases import Database, TestTenant
from tests.db.work import TASK, body_of, claim_one, enqueue_one, job_of, suspend


def failed(tenant: TestTenant, *, task_name: str = TASK) -> UUID:
    """Return the id of a job that has failed; the tenant has no other that is ready."""
    job_id = enqueue_one(tenant, task_name=task_name)
    with body_of(claim_one(tenant)) as connection:
        attempts.fail(connection, error={"type": "X", "message": "no"}, retry_after_seconds=None)
    return job_id


def with_unique_key(tenant: TestTenant, key: str) -> UUID:
    """Return the id of a new job with this unique key."""
    with tenant_session(tenant.context, role=Role.API) as session:
        return accept(
            session, task_name=TASK, payload={}, queue="default", max_attempts=1, wishes=Wishes(unique_key=key)
        ).job_id


def ids(answer: dict[str, Any], part: str = "jobs") -> list[str]:
    return [job["id"] for job in answer[part]]


def test_jobs_of_several_tenants_are_cancelled_in_the_operators_name(
    acme: TestTenant, zeta: TestTenant, partywall: Run
) -> None:
    waiting, running = enqueue_one(acme), enqueue_one(zeta)
    claim_one(zeta)

    result = partywall("jobs", "cancel", waiting, running, "--reason", "an outage", "--json")

    assert result.exit_code == 0
    assert [(job["tenant"], job["state_before"]) for job in json.loads(result.stdout)["jobs"]] == [
        ("acme", "dispatched"),
        ("zeta", "running"),
    ]
    for tenant, job_id in ((acme, waiting), (zeta, running)):
        job = job_of(tenant, job_id)
        assert (job.state, job.cancelled_by, job.cancel_reason) == (
            "cancelled",
            "operator/partywall_operator",
            "an outage",
        )


def test_cancelling_twice_is_fine(acme: TestTenant, partywall: Run) -> None:
    job_id = enqueue_one(acme)

    assert partywall("jobs", "cancel", job_id, job_id).exit_code == 0
    again = partywall("jobs", "cancel", job_id, "--json")
    assert (again.exit_code, json.loads(again.stdout)["jobs"][0]["state_before"]) == (0, "cancelled")


def test_what_is_over_is_refused_and_the_rest_is_cancelled(acme: TestTenant, partywall: Run) -> None:
    over, waiting = failed(acme), enqueue_one(acme)

    result = partywall("jobs", "cancel", over, waiting)

    assert result.exit_code == 3
    assert str(waiting) in result.stdout
    assert str(over) not in result.stdout
    assert result.stderr.startswith("error: the job is failed")
    assert (str(over) in result.stderr, result.stderr.count("\n")) == (True, 1)
    assert (job_of(acme, over).state, job_of(acme, waiting).state) == ("failed", "cancelled")


def test_an_unknown_job_among_others_leaves_all_as_they_are(acme: TestTenant, partywall: Run) -> None:
    waiting = enqueue_one(acme)
    for command in ("cancel", "retry"):
        result = partywall("jobs", command, waiting, uuid4())

        assert (result.exit_code, result.stdout) == (3, "")
        assert "no job has this id" in result.stderr
    assert job_of(acme, waiting).state == "queued"


def test_a_reason_that_cannot_be_kept_is_bad_input(acme: TestTenant, partywall: Run) -> None:
    job_id = enqueue_one(acme)

    assert partywall("jobs", "cancel", job_id, "--reason", "x" * 501).exit_code == 2
    assert job_of(acme, job_id).state == "queued"


def test_a_failed_job_waits_again(acme: TestTenant, partywall: Run) -> None:
    job_id = failed(acme)

    result = partywall("jobs", "retry", job_id)

    assert result.exit_code == 0
    assert str(job_id) in result.stdout
    assert result.stderr == "1 job waits again.\n"
    assert job_of(acme, job_id).state == "queued"


def test_retrying_twice_is_refused_the_second_time(acme: TestTenant, partywall: Run) -> None:
    job_id = failed(acme)
    partywall("jobs", "retry", job_id)

    again = partywall("jobs", "retry", job_id, "--json")

    assert again.exit_code == 3
    answer = json.loads(again.stdout)
    assert (ids(answer), ids(answer, "refused"), answer["refused"][0]["state"]) == ([], [str(job_id)], "queued")


def test_a_job_whose_unique_key_is_taken_is_refused_by_name(acme: TestTenant, partywall: Run) -> None:
    job_id = with_unique_key(acme, "nightly")
    partywall("jobs", "cancel", job_id)
    with_unique_key(acme, "nightly")

    result = partywall("jobs", "retry", job_id)

    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.startswith(f"error: job {job_id}: another job with its unique key is live. ")


def test_jobs_are_retried_by_state_task_tenant_and_time(
    acme: TestTenant, zeta: TestTenant, database: Database, partywall: Run
) -> None:
    wanted, old, other_task, others = failed(acme), failed(acme), failed(acme, task_name="notes.read"), failed(zeta)
    database.do("update partywall.jobs set finished_at = now() - interval '2 hours' where id = :id", id=old)
    database.do("update partywall.jobs set finished_at = now() - interval '9 minutes' where id = :id", id=others)

    def retried(*options: object) -> list[str]:
        return ids(json.loads(partywall("jobs", "retry", "--state", "failed", "--json", *options).stdout))

    assert retried("--task", "no.such") == []
    assert retried("--tenant", "acme", "--task", TASK, "--since", "1h") == [str(wanted)]
    assert retried("--since", "5m") == [str(other_task)]
    assert retried("--limit", 1) == [str(old)]
    assert retried() == [str(others)]
    assert partywall("jobs", "retry", "--state", "failed").stderr == "There is no such job.\n"


def test_a_retry_that_reaches_its_limit_says_so(acme: TestTenant, partywall: Run) -> None:
    failed(acme)
    failed(acme)

    result = partywall("jobs", "retry", "--state", "failed", "--limit", 1)

    assert "there may be more" in result.stderr
    assert json.loads(partywall("jobs", "retry", "--state", "failed", "--limit", 1, "--json").stdout)["more"] is True


def test_a_filter_needs_a_tenant_that_may_work(acme: TestTenant, partywall: Run) -> None:
    job_id = failed(acme)
    suspend(acme)

    for slug, said in (("nobody", "unknown"), ("acme", "suspended")):
        result = partywall("jobs", "retry", "--state", "failed", "--tenant", slug)
        assert (result.exit_code, result.stdout) == (3, "")
        assert said in result.stderr
    assert partywall("jobs", "retry", job_id).exit_code == 3
    assert job_of(acme, job_id).state == "failed"


def test_a_filter_needs_a_tenant_that_is_not_being_drained(acme: TestTenant, partywall: Run) -> None:
    job_id = failed(acme)
    partywall("tenants", "drain", "acme", "--reason", "moving out")

    result = partywall("jobs", "retry", "--state", "failed", "--tenant", "acme")

    assert (result.exit_code, result.stdout) == (3, "")
    assert "partywall tenants resume acme" in result.stderr
    assert job_of(acme, job_id).state == "failed"


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--task", TASK),
        ("--state", "succeeded"),
        ("--state", "failed", "--since", "1 hour"),
        ("--state", "failed", "--since", "-1h"),
        ("--state", "failed", "--since", "999999d"),
        ("--state", "failed", "--limit", 0),
        (uuid4(), "--state", "failed"),
        ("not-an-id",),
    ],
)
def test_jobs_that_nobody_can_mean_are_bad_input(acme: TestTenant, partywall: Run, options: tuple[object, ...]) -> None:
    job_id = failed(acme)

    result = partywall("jobs", "retry", *options)

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1
    assert job_of(acme, job_id).state == "failed"


def test_every_state_that_can_be_retried_can_be_named() -> None:
    assert {each.value for each in Ended} == {state.value for state in RETRYABLE}
