"""One attempt of a job: who may start it, what it may say, and what is kept of it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from db import attempts, dispatching
from db.attempts import Attempt
from db.errors import (
    LeaseLostError,
    NoTenantError,
    TenantDeletingError,
    TenantSuspendedError,
    TenantUnknownError,
    TokenExpiredError,
)
from db.jobs import JobState
from db.roles import Role
from db.session import become, platform_connection, tenant_session
from db.tenants import open_tenant, suspend_tenant
from tests.databases import Database, TestTenant
from tests.db.work import body_of, claim_of, dispatch_all, enqueue_one, job_of, start_one

WRITE = text("insert into app.notes (body) values ('an effect')")


def effects(database: Database) -> int:
    ((count,),) = database.ask("select count(*) from app.notes")
    return int(str(count))


def take_away(database: Database, attempt: Attempt) -> None:
    """Let the reaper take the attempt's job back, and a second attempt start."""
    database.do("update partywall.jobs set lease_expires_at = now() - interval '1 second' where state = 'running'")
    with platform_connection(Role.DISPATCHER) as connection:
        (expired,) = dispatching.expire_leases(connection, limit=1)
    assert expired.job_id == attempt.job_id


def start_again(database: Database) -> Attempt:
    database.do("update partywall.jobs set run_at = now() where state = 'queued'")
    (message,) = dispatch_all()
    (attempt,) = claim_of(message)
    return attempt


def claim(tenant_id: UUID, job_id: UUID, nonce: UUID, *, task_name: str = "notes.write") -> list[Attempt]:
    with platform_connection(Role.WORKER) as connection:
        return attempts.claim(
            connection,
            tenant_id=tenant_id,
            job_ids=[job_id],
            nonce=nonce,
            task_name=task_name,
            worker="tests@here",
            lease_seconds=60,
        )


def test_a_claim_tells_all_a_worker_needs(acme: TestTenant) -> None:
    job_id = enqueue_one(acme, payload={"body": "hello"}, max_attempts=4)
    (message,) = dispatch_all()
    (attempt,) = claim_of(message, lease_seconds=90, worker="worker@host/7")

    assert (attempt.job_id, attempt.number, attempt.max_attempts) == (job_id, 1, 4)
    assert (attempt.payload, attempt.checkpoint) == ({"body": "hello"}, None)
    assert (attempt.tenant_slug, attempt.tenant_name, attempt.context.tenant_id) == ("acme", "Acme", acme.id)
    assert timedelta(seconds=80) < attempt.lease_expires_at - datetime.now(UTC) <= timedelta(seconds=90)
    job = job_of(acme, job_id)
    assert (job.state, job.attempt, job.worker) == ("running", 1, "worker@host/7")
    assert attempt.context.token not in repr(attempt)


def test_only_the_message_that_was_sent_can_claim(acme: TestTenant, zeta: TestTenant) -> None:
    job_id = enqueue_one(acme)
    (message,) = dispatch_all()
    nonce = message.nonce

    assert claim(acme.id, job_id, uuid4()) == []
    assert claim(acme.id, job_id, nonce, task_name="notes.read") == []
    assert claim(zeta.id, job_id, nonce) == []
    assert claim(acme.id, uuid4(), nonce) == []
    assert len(claim(acme.id, job_id, nonce)) == 1
    assert claim(acme.id, job_id, nonce) == []


def test_a_job_that_was_not_dispatched_cannot_be_claimed(database: Database, acme: TestTenant) -> None:
    job_id = enqueue_one(acme)
    nonce = uuid4()
    database.do("update partywall.jobs set dispatch_nonce = :nonce", nonce=nonce)

    assert claim(acme.id, job_id, nonce) == []


@pytest.mark.parametrize(
    ("status", "refusal"), [("suspended", TenantSuspendedError), ("deleting", TenantDeletingError)]
)
def test_a_claim_for_a_tenant_that_may_not_work_is_refused_and_the_job_stays(
    status: str, refusal: type[Exception], database: Database, acme: TestTenant
) -> None:
    job_id = enqueue_one(acme)
    (message,) = dispatch_all()
    database.do("update partywall.tenants set status = :status", status=status)

    with pytest.raises(refusal):
        claim_of(message)

    assert database.ask("select id, state from partywall.jobs") == [(job_id, "dispatched")]


def test_a_claim_for_an_unknown_tenant_is_refused(database: Database) -> None:
    with pytest.raises(TenantUnknownError):
        claim(uuid4(), uuid4(), uuid4())


def test_effects_and_outcome_are_one_transaction(database: Database, acme: TestTenant) -> None:
    attempt = start_one(acme)
    with body_of(attempt) as connection:
        connection.execute(WRITE)
        assert (effects(database), job_of(acme, attempt.job_id).state) == (0, "running")
        attempts.finish(connection, result={"written": 1})

    job = job_of(acme, attempt.job_id)
    assert (effects(database), job.state, job.result) == (1, "succeeded", {"written": 1})
    assert job.finished_at is not None
    assert (job.lease_expires_at, job.error, job.checkpoint) == (None, None, None)


def test_a_finish_after_the_lease_was_lost_keeps_nothing(database: Database, acme: TestTenant) -> None:
    zombie = start_one(acme)
    with body_of(zombie) as connection:
        connection.execute(WRITE)
        take_away(database, zombie)
        second = start_again(database)

        with pytest.raises(LeaseLostError):
            attempts.finish(connection, result=None)

    assert (effects(database), second.number) == (0, 2)
    assert job_of(acme, zombie.job_id).state == "running"


def test_a_commit_halfway_after_the_lease_was_lost_keeps_nothing(database: Database, acme: TestTenant) -> None:
    zombie = start_one(acme)
    with body_of(zombie) as connection:
        connection.execute(WRITE)
        take_away(database, zombie)

        with pytest.raises(LeaseLostError):
            connection.commit()

    assert effects(database) == 0


def test_without_the_fence_a_zombies_commit_would_go_through(database: Database, acme: TestTenant) -> None:
    """The test above can see what it guards against."""
    zombie = start_one(acme)
    with platform_connection(Role.WORKER) as connection:
        become(connection, zombie.context)
        connection.execute(WRITE)
        take_away(database, zombie)
        connection.commit()

    assert effects(database) == 1


def test_the_fence_stands_again_after_the_connection_was_lost(database: Database, acme: TestTenant) -> None:
    zombie = start_one(acme)
    with body_of(zombie) as connection:
        pid = connection.execute(text("select pg_backend_pid()")).scalar_one()
        database.do("select pg_terminate_backend(:pid, 5000)", pid=pid)
        with pytest.raises(DBAPIError):
            connection.execute(WRITE)
        attempts.abandon(connection)
        connection.execute(WRITE)
        take_away(database, zombie)

        with pytest.raises(LeaseLostError):
            connection.commit()

    assert effects(database) == 0


def test_a_commit_halfway_keeps_its_part_while_the_lease_holds(database: Database, acme: TestTenant) -> None:
    attempt = start_one(acme)
    with body_of(attempt) as connection:
        connection.execute(WRITE)
        connection.commit()
        connection.execute(WRITE)
        connection.rollback()
        connection.execute(WRITE)
        attempts.finish(connection, result=None)

    assert effects(database) == 2


def test_nothing_can_be_written_after_the_finish(database: Database, acme: TestTenant) -> None:
    attempt = start_one(acme)
    with body_of(attempt) as connection:
        attempts.finish(connection, result=None)
        connection.execute(WRITE)
        with pytest.raises(LeaseLostError):
            connection.commit()
        attempts.abandon(connection)
        with pytest.raises(LeaseLostError):
            attempts.finish(connection, result=None)

    assert effects(database) == 0
    assert job_of(acme, attempt.job_id).state == "succeeded"


def test_a_refused_finish_leaves_a_connection_that_can_report_the_failure(database: Database, acme: TestTenant) -> None:
    """A result that jsonb cannot hold fails inside the fence, after which the server still has a transaction."""
    attempt = start_one(acme)
    with body_of(attempt) as connection:
        connection.execute(WRITE)
        with pytest.raises(DBAPIError):
            attempts.finish(connection, result={"text": "\0"})
        attempts.abandon(connection)
        state = attempts.fail(connection, error={"type": "DataError"}, retry_after_seconds=None)

    assert (state, effects(database)) == ("failed", 0)


def test_a_suspension_does_not_stop_what_runs_from_finishing(acme: TestTenant) -> None:
    attempt = start_one(acme)
    with platform_connection(Role.OPERATOR) as connection:
        suspend_tenant(connection, acme.slug)

    with body_of(attempt) as connection:
        attempts.finish(connection, result=None)

    assert job_of(acme, attempt.job_id).state == "succeeded"


def fail(attempt: Attempt, *, retry_after_seconds: float | None = 0.0, message: str = "no") -> JobState:
    with body_of(attempt) as connection:
        error = {"type": "ValueError", "message": message, "traceback": message}
        return attempts.fail(connection, error=error, retry_after_seconds=retry_after_seconds)


def test_a_failed_attempt_is_tried_again_after_the_pause(acme: TestTenant) -> None:
    attempt = start_one(acme)

    assert fail(attempt, retry_after_seconds=3600) is JobState.QUEUED
    job = job_of(acme, attempt.job_id)
    assert (job.state, job.attempt, job.lease_expires_at, job.finished_at) == ("queued", 1, None, None)
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
        "select partywall.fail('{}', null)",
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


def test_a_body_that_is_past_its_lease_is_told_that_its_token_expired(acme: TestTenant) -> None:
    attempt = start_one(acme, lease_seconds=0.5)
    with pytest.raises(TokenExpiredError), body_of(attempt) as connection:
        connection.execute(text("select pg_sleep(1.6)"))
        connection.execute(WRITE)


def test_a_session_and_a_connection_can_both_be_finished(database: Database, acme: TestTenant) -> None:
    attempt = start_one(acme)
    with body_of(attempt) as connection:
        with connection.begin_nested():
            connection.execute(WRITE)
        attempts.finish(connection, result=[1, 2])

    assert (effects(database), job_of(acme, attempt.job_id).result) == (1, [1, 2])


def test_the_same_connection_runs_one_attempt_after_another(database: Database, acme: TestTenant) -> None:
    """As a bundle does: each is fenced by its own lease."""
    first, second = start_one(acme), start_one(acme)
    with platform_connection(Role.WORKER) as connection:
        for attempt in (first, second):
            become(connection, attempt.context)
            attempts.fence(connection)
            connection.execute(WRITE)
            attempts.finish(connection, result=attempt.number)

    assert effects(database) == 2
    assert {job_of(acme, attempt.job_id).state for attempt in (first, second)} == {"succeeded"}
