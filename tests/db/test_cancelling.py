"""Cancelling: over with the statement, in whatever state, with who asked and why; nothing of a running body is kept."""

import pytest
from sqlalchemy import text

from db import attempts, steering
from db.attempts import Outcome
from db.errors import JobNotFoundError, JobOverError, LeaseLostError
from db.jobs import JobState, list_attempts
from db.roles import Role
from db.session import platform_connection, tenant_session
from db.tenants import delete_tenant
from tests.databases import Database, TestTenant
from tests.db.racing import at_once
from tests.db.work import WRITE, body_of, claim_of, dispatch_all, effects, enqueue_one, job_of, start_one, suspend


def cancel(tenant: TestTenant, job_id: object, *, reason: str | None = "no longer needed") -> JobState:
    with tenant_session(tenant.context, role=Role.API) as session:
        return steering.cancel_job(session, job_id, reason=reason)  # type: ignore[arg-type]


def test_a_waiting_job_is_over_and_is_never_sent(acme: TestTenant) -> None:
    job_id = enqueue_one(acme)

    assert cancel(acme, job_id) == "queued"
    job = job_of(acme, job_id)
    assert (job.state, job.cancel_reason, job.attempt) == ("cancelled", "no longer needed", 0)
    assert (job.cancelled_by or "").startswith("key/")
    assert job.finished_at is not None
    assert dispatch_all() == []


def test_the_message_of_a_cancelled_job_claims_nothing(acme: TestTenant) -> None:
    job_id = enqueue_one(acme)
    (message,) = dispatch_all()

    assert cancel(acme, job_id) == "dispatched"
    assert claim_of(message) == []


def test_a_running_job_is_over_at_once_and_its_attempt_is_noted(acme: TestTenant) -> None:
    attempt = start_one(acme)

    assert cancel(acme, attempt.job_id, reason="x" * 600) == "running"
    job = job_of(acme, attempt.job_id)
    assert (job.state, job.lease_expires_at, job.cancel_reason) == ("cancelled", None, "x" * 500)
    assert job.error == {"type": "JobCancelled", "message": "x" * 500}
    with tenant_session(acme.context, role=Role.API) as session:
        assert [(row.attempt, row.outcome) for row in list_attempts(session, job.id, limit=9)] == [(1, "cancelled")]


def test_nothing_that_a_cancelled_body_wrote_is_kept(database: Database, acme: TestTenant) -> None:
    attempt = start_one(acme)
    with body_of(attempt) as connection:
        connection.execute(WRITE)
        cancel(acme, attempt.job_id)

        with pytest.raises(LeaseLostError):
            attempts.finish(connection, result=None)

    assert (effects(database), job_of(acme, attempt.job_id).state) == (0, "cancelled")


def test_of_a_finish_and_a_cancellation_at_once_one_wins_whole(database: Database, acme: TestTenant) -> None:
    for round_ in range(8):
        attempt = start_one(acme)
        before = effects(database)

        def finish() -> str:
            with body_of(attempt) as connection:  # noqa: B023 - both are over before the next round
                connection.execute(WRITE)
                try:
                    attempts.finish(connection, result=None)
                except LeaseLostError:
                    return "lost"
            return "succeeded"

        def stop() -> str:
            try:
                cancel(acme, attempt.job_id)  # noqa: B023 - as above
            except JobOverError:
                return "late"
            return "cancelled"

        acts = iter([finish, stop] if round_ % 2 else [stop, finish])
        said = set(at_once(2, lambda: next(acts)()))  # noqa: B023 - as above

        state = job_of(acme, attempt.job_id).state
        assert said == ({"succeeded", "late"} if state == "succeeded" else {"lost", "cancelled"})
        assert effects(database) - before == (state == "succeeded")


def test_cancelling_twice_is_once_and_keeps_the_first_reason(acme: TestTenant) -> None:
    job_id = enqueue_one(acme)
    cancel(acme, job_id, reason="first")

    assert cancel(acme, job_id, reason="second") == "cancelled"
    assert job_of(acme, job_id).cancel_reason == "first"


def test_what_is_over_cannot_be_cancelled(acme: TestTenant) -> None:
    attempt = start_one(acme)
    with body_of(attempt) as connection:
        attempts.finish(connection, result=None)

    with pytest.raises(JobOverError):
        cancel(acme, attempt.job_id)
    assert job_of(acme, attempt.job_id).state == "succeeded"


def test_another_tenants_job_does_not_exist(acme: TestTenant, zeta: TestTenant) -> None:
    job_id = enqueue_one(acme)

    with pytest.raises(JobNotFoundError):
        cancel(zeta, job_id)
    assert job_of(acme, job_id).state == "queued"


def test_a_job_of_a_suspended_tenant_can_be_cancelled(acme: TestTenant) -> None:
    job_id = enqueue_one(acme)
    suspend(acme)

    assert cancel(acme, job_id) == "queued"


def test_a_body_that_cancels_itself_is_named_as_who_asked(acme: TestTenant) -> None:
    attempt = start_one(acme, max_attempts=9)
    error = {"type": "Cancel", "message": "nothing to do"}
    with body_of(attempt) as connection:
        state = attempts.fail(connection, error=error, retry_after_seconds=0, outcome=Outcome.CANCELLED)

    job = job_of(acme, attempt.job_id)
    assert (state, job.state) == ("cancelled", "cancelled")
    assert (job.cancelled_by, job.cancel_reason) == (f"job/{job.id}/1", "nothing to do")


def test_a_body_that_cancels_another_job_does_so_with_its_own_commit(acme: TestTenant) -> None:
    attempt, other = start_one(acme), enqueue_one(acme)
    with body_of(attempt) as connection:
        steering.cancel_job(connection, other, reason=None)
        connection.rollback()
        assert job_of(acme, other).state == "queued"

        steering.cancel_job(connection, other, reason=None)
        attempts.finish(connection, result=None)

    assert job_of(acme, other).cancelled_by == f"job/{attempt.job_id}/1"


def test_without_a_tenant_nothing_can_be_cancelled(acme: TestTenant) -> None:
    job_id = enqueue_one(acme)

    with pytest.raises(Exception, match="no tenant"), platform_connection(Role.API) as connection:
        connection.execute(text("select partywall.cancel_job(:id, '')"), {"id": job_id})


def test_what_runs_for_a_tenant_that_is_being_deleted_may_be_cancelled(acme: TestTenant) -> None:
    attempt = start_one(acme)
    with platform_connection(Role.OPERATOR) as connection:
        delete_tenant(connection, acme.slug)

    assert cancel(acme, attempt.job_id) == "running"
