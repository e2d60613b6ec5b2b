"""One attempt of a job: what it may say of failure, progress and checkpoint, and what is kept of it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from db import attempts
from db.attempts import Attempt
from db.errors import LeaseLostError, NoTenantError
from db.jobs import JobState
from db.roles import Role
from db.session import platform_connection, tenant_session
from db.tenants import open_tenant
from tests.databases import Database, TestTenant
from tests.db.work import WRITE, body_of, dispatch_all, effects, job_of, start_again, start_one, take_away


def fail(attempt: Attempt, *, retry_after_seconds: float | None = 0.0, message: str = "no") -> JobState:
    with body_of(attempt) as connection:
        error = {"type": "ValueError", "message": message, "traceback": message}
        return attempts.fail(connection, error=error, retry_after_seconds=retry_after_seconds)


def test_a_failed_attempt_is_tried_again_after_the_pause(acme: TestTenant) -> None:
    attempt = start_one(acme)

    assert fail(attempt, retry_after_seconds=3600) is JobState.SCHEDULED
    job = job_of(acme, attempt.job_id)
    assert (job.state, job.attempt, job.lease_expires_at, job.finished_at) == ("scheduled", 1, None, None)
    assert timedelta(minutes=59) < job.run_at - datetime.now(UTC) < timedelta(minutes=61)
    assert job.error == {"type": "ValueError", "message": "no", "traceback": "no"}
    assert dispatch_all() == []


def test_the_last_attempt_fails_for_good_and_so_does_one_that_says_never(acme: TestTenant) -> None:
    last = start_one(acme, max_attempts=1)
    assert fail(last) is JobState.FAILED
    assert job_of(acme, last.job_id).finished_at is not None

    never = start_one(acme, max_attempts=9)
    assert fail(never, retry_after_seconds=None) is JobState.FAILED


def test_attempts_are_counted_and_a_success_forgets_the_error(database: Database, acme: TestTenant) -> None:
    first = start_one(acme)
    fail(first)
    second = start_again(database)
    with body_of(second) as connection:
        attempts.finish(connection, result=None)

    job = job_of(acme, first.job_id)
    assert (second.number, job.state, job.error) == (2, "succeeded", None)


@pytest.mark.parametrize("message", ["\0", "half a pair: \ud800", "😀"])
def test_a_failure_is_recorded_whatever_its_message_holds(message: str, acme: TestTenant) -> None:
    attempt = start_one(acme)

    fail(attempt, message=message)

    error = job_of(acme, attempt.job_id).error
    assert error is not None
    assert error["message"] == message.replace("\0", "\ufffd").replace("\ud800", "\ufffd")


def test_a_failure_of_a_body_that_was_not_rolled_back_is_refused(database: Database, acme: TestTenant) -> None:
    """Otherwise its effects would be committed together with its failure."""
    attempt = start_one(acme)
    with body_of(attempt) as connection:
        connection.execute(WRITE)
        with pytest.raises(Exception, match="already"):
            attempts.fail(connection, error={}, retry_after_seconds=0)

    assert effects(database) == 0


def report(attempt: Attempt) -> None:
    attempts.report_progress(attempt.context, current=1, total=2, note="half")


def checkpoint(attempt: Attempt) -> None:
    with body_of(attempt) as connection:
        attempts.save_checkpoint(connection, state={"line": 7})
        connection.commit()


def finish(attempt: Attempt) -> None:
    with body_of(attempt) as connection:
        attempts.finish(connection, result=None)


def hold(attempt: Attempt) -> None:
    with body_of(attempt) as connection:
        connection.execute(text("select partywall.hold_lease()"))


@pytest.mark.parametrize("say", [report, checkpoint, finish, fail, hold], ids=lambda say: say.__name__)
def test_an_attempt_that_was_superseded_has_nothing_to_say(
    say: Callable[[Attempt], object], database: Database, acme: TestTenant
) -> None:
    zombie = start_one(acme)
    take_away(database, zombie)
    second = start_again(database)
    before = job_of(acme, zombie.job_id)

    with pytest.raises(LeaseLostError):
        say(zombie)

    after = job_of(acme, zombie.job_id)
    assert (after.state, after.attempt, after.progress_current) == ("running", 2, None)
    assert (after.checkpoint, after.error) == (before.checkpoint, before.error)
    say(second)


@pytest.mark.parametrize("say", [report, checkpoint, finish, fail, hold], ids=lambda say: say.__name__)
def test_a_finished_job_has_nothing_more_to_say(say: Callable[[Attempt], object], acme: TestTenant) -> None:
    attempt = start_one(acme)
    finish(attempt)

    with pytest.raises(LeaseLostError):
        say(attempt)


@pytest.mark.parametrize(
    "statement",
    [
        "select partywall.finish('{}')",
        "select partywall.fail('{}', null, 'failed')",
        "select partywall.report_progress(1, 2, '')",
        "select partywall.save_checkpoint('{}')",
        "select partywall.hold_lease()",
    ],
)
def test_a_context_that_is_no_attempt_cannot_speak_for_one(statement: str, acme: TestTenant) -> None:
    start_one(acme)
    with platform_connection(Role.OPERATOR) as connection:
        operators = open_tenant(connection, acme.slug)

    for context in (acme.context, operators):
        with pytest.raises(NoTenantError, match="no attempt"), tenant_session(context, role=Role.WORKER) as session:
            session.execute(text(statement))


def test_an_attempt_speaks_for_its_own_job_only(acme: TestTenant, zeta: TestTenant) -> None:
    mine, theirs, other = start_one(acme), start_one(zeta), start_one(acme)

    finish(mine)

    assert job_of(zeta, theirs.job_id).state == "running"
    assert job_of(acme, other.job_id).state == "running"


def test_progress_shows_at_once_and_outlives_a_rollback(acme: TestTenant) -> None:
    attempt = start_one(acme)
    with body_of(attempt) as connection:
        connection.execute(WRITE)
        attempts.report_progress(attempt.context, current=2**40, total=None, note="x" * 600 + "\0")
        shown = job_of(acme, attempt.job_id)
        connection.rollback()

    assert (shown.progress_current, shown.progress_total, shown.progress_note) == (2**40, None, "x" * 500)


def test_progress_begins_anew_with_each_attempt(database: Database, acme: TestTenant) -> None:
    attempt = start_one(acme)
    report(attempt)
    fail(attempt)
    start_again(database)

    job = job_of(acme, attempt.job_id)
    assert (job.progress_current, job.progress_total, job.progress_note) == (None, None, None)


def test_a_checkpoint_is_kept_with_the_work_it_stands_for_and_handed_to_the_next_attempt(
    database: Database, acme: TestTenant
) -> None:
    attempt = start_one(acme)
    with body_of(attempt) as connection:
        connection.execute(WRITE)
        attempts.save_checkpoint(connection, state={"line": 100})
        connection.commit()
        connection.execute(WRITE)
        attempts.save_checkpoint(connection, state={"line": 200})
        connection.rollback()
    fail(attempt)

    second = start_again(database)
    assert (second.checkpoint, effects(database)) == ({"line": 100}, 1)
    finish(second)
    assert job_of(acme, attempt.job_id).checkpoint is None
