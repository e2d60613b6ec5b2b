"""The way of one message through a worker: claim, enter, validate, run, finish or fail, leave."""

import asyncio
import time
import traceback
from collections.abc import Sequence
from contextlib import ExitStack
from functools import cache, partial
from typing import Any
from uuid import UUID

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, InterfaceError, SQLAlchemyError
from sqlalchemy.util.concurrency import await_, in_greenlet

from db import attempts
from db.attempts import Attempt, Outcome
from db.bundle_connections import bundle_connections
from db.errors import LeaseLostError, PartywallError, TokenExpiredError
from db.jobs import JobState
from db.roles import Role
from db.session import become, platform_connection
from tasks.body import run_body, run_where
from tasks.claiming import ClaimPostponedError, claim, give_back
from tasks.declaration import Body, TaskDeclaration
from tasks.errors import AttemptFailedError
from tasks.heart import heart
from tasks.identity import identity
from tasks.job import Job
from tasks.message import JobMessage
from tasks.publisher import publishing_as
from tasks.redaction import redact
from tasks.retrying import Cancel, reason_of
from tasks.settings import TaskSettings
from tasks.stopping import Stop

MAX_TRACEBACK_CHARACTERS = 16_000
BUNDLE_SECONDS = 0.25
"""What a message's jobs may take together before another one of them begins: one that is slower than it was before
holds up its neighbours no longer than this, and the time limit of none is cut by more."""
TELL_SECONDS = 5.0
"""How long it is tried to tell of a failure while PostgreSQL is away. It takes less to restart, and a job that nobody
speaks for waits until its lease is over."""
TELL_PAUSE_SECONDS = 0.1
"""The first pause; each is longer than the one before by as much."""

log = structlog.get_logger(__name__)


def run_message(declaration: TaskDeclaration, body: Body, message: JobMessage) -> None:
    """Run the jobs a message names, each in its tenant's context and its own transaction.

    Raises:
        celery.exceptions.Reject: nothing was run, loudly: the tenant may not work, or there is no job to claim; or
            PostgreSQL is away, and the broker shall deliver the message again.
        AttemptFailedError: an attempt failed; its job's row says why and when it runs again.
    """
    try:
        run_where(declaration, partial(_run_jobs, declaration, body, message))
    except ClaimPostponedError:
        # Here, because it waits: not on the event loop, which others run on.
        raise give_back() from None


def _run_jobs(declaration: TaskDeclaration, body: Body, message: JobMessage) -> None:
    failures: list[AttemptFailedError] = []
    with ExitStack() as stack, bundle_connections(Role.WORKER) as connections:
        connection, claimed = claim(connections, declaration, message)
        # All are held from now on: the last waits as long as those before it take.
        holds = [(attempt, stack.enter_context(ExitStack())) for attempt in claimed]
        held = [(attempt, hold.enter_context(heart().holding(attempt)), hold) for attempt, hold in holds]
        began = time.monotonic()
        for position, (attempt, stop, hold) in enumerate(held):
            if position:
                if time.monotonic() - began > BUNDLE_SECONDS:
                    _hand_back(message, [waiting.job_id for waiting, *_ in held[position:]])
                    break
                try:
                    connection = connections.next()
                except SQLAlchemyError as away:
                    log.warning("bundle_broken_off", because=type(away).__name__)
                    _hand_back(message, [waiting.job_id for waiting, *_ in held[position:]])
                    break
            if stop.reason is not None:
                # It was cancelled, or taken away, before its turn came.
                continue
            with structlog.contextvars.bound_contextvars(
                tenant=attempt.tenant_slug,
                job=str(attempt.job_id),
                attempt=attempt.number,
                task=declaration.name,
            ):
                try:
                    is_last = position == len(held) - 1
                    _run_attempt(connection, declaration, body, attempt, stop, is_last=is_last)
                except AttemptFailedError as failure:
                    # The message's other jobs are claimed: they run, whatever became of this one.
                    failures.append(failure)
                finally:
                    # Its lease need not be extended any more, though the message goes on.
                    hold.close()
    if failures:
        raise failures[0]


def _has_to_wait(declaration: TaskDeclaration, attempt: Attempt) -> bool:
    """Return whether a finish that a crash takes back could not be followed by another attempt that is like it.

    The reaper takes the first of a bundle that is `running` for the one that ran: it would count as a try, and as lost.
    """
    return _commits_wait() or attempt.number >= min(attempt.max_attempts, declaration.retry.max_lost)


@cache
def _commits_wait() -> bool:
    return TaskSettings.load().commits_wait


def _hand_back(message: JobMessage, job_ids: Sequence[UUID]) -> None:
    """Give jobs back that were claimed and not begun; where that fails, their leases end by themselves."""
    try:
        with platform_connection(Role.WORKER) as connection:
            attempts.end_attempts(
                connection,
                tenant_id=message.tenant_id,
                job_ids=job_ids,
                nonce=message.nonce,
                worker=identity().name,
                outcome=Outcome.HANDED_BACK,
            )
    except (SQLAlchemyError, PartywallError) as away:
        log.warning("jobs_not_handed_back", jobs=len(job_ids), because=type(away).__name__)
    else:
        log.info("jobs_handed_back", jobs=len(job_ids))


def _run_attempt(
    connection: Connection, declaration: TaskDeclaration, body: Body, attempt: Attempt, stop: Stop, *, is_last: bool
) -> None:
    become(connection, attempt.context)
    attempts.fence(connection)
    job = Job.of(attempt, connection)
    log.debug("attempt_started")
    try:
        payload = declaration.read_payload(attempt.payload)
        with publishing_as(attempt.context, role=Role.WORKER, label=attempt.tenant_slug):
            result = run_body(declaration, body, job, payload, connection, stop)
        waits = is_last or _has_to_wait(declaration, attempt)
        attempts.finish(connection, result=result, waits=waits, is_last=is_last)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the edge: whatever a body raises is recorded here
        _record_failure(connection, declaration, attempt, error, stop)
    else:
        log.info("attempt_succeeded")
    finally:
        job.close()


def _record_failure(
    connection: Connection, declaration: TaskDeclaration, attempt: Attempt, error: BaseException, stop: Stop
) -> None:
    cause = reason_of(error)
    kind = type(cause).__name__
    if stop.reason is LeaseLostError:
        # There is nobody to tell: PostgreSQL knows, or does not answer and might keep us waiting for a ROLLBACK.
        connection.invalidate()
        log.warning("attempt_superseded", error=kind)
        raise _superseded(attempt, kind) from None
    try:
        state = _tell(
            connection,
            stop,
            error=_describe(cause),
            retry_after_seconds=declaration.retry.delay_after(attempt.number, error),
            outcome=_outcome_of(cause),
        )
    except (LeaseLostError, TokenExpiredError):
        # The token lives as long as the lease did: either way the job is the reaper's or another attempt's.
        log.warning("attempt_superseded", error=kind)
        raise _superseded(attempt, kind) from None
    except Exception as away:  # noqa: BLE001 - the edge: raised from here, it would carry the body's error into the log
        # The lease will run out and the reaper gives the job back. Not chained: the body's error may quote data.
        log.error("failure_not_recorded", error=kind, because=type(away).__name__)
        raise AttemptFailedError(
            "the attempt failed, and the database could not be told",
            job=attempt.job_id,
            attempt=attempt.number,
            error=kind,
        ) from None
    log.warning("attempt_failed", error=kind, state=state.value)
    # Not the exception itself: its text may quote the tenant's data, and Celery hands it to Flower.
    raise AttemptFailedError(job=attempt.job_id, attempt=attempt.number, error=kind, state=state.value) from None


def _tell(connection: Connection, stop: Stop, **failure: Any) -> JobState:
    """Roll back what the body did and record its failure, on another connection while this one's server is away.

    What broke the connection, a restart, is often what the body failed of. Where the failure was recorded and only the
    answer is missing, it is told once more that the lease is lost: nothing is recorded twice.
    """
    gives_up_at = time.monotonic() + TELL_SECONDS
    pause_seconds = 0.0
    while True:
        try:
            attempts.abandon(connection)
            return attempts.fail(connection, **failure)
        except DBAPIError as away:
            # One that could not be opened again was not lost once more: the connection is still without one.
            is_away = away.connection_invalidated or connection.invalidated or isinstance(away, InterfaceError)
            pause_seconds += TELL_PAUSE_SECONDS
            if not is_away or stop.reason is LeaseLostError or time.monotonic() + pause_seconds > gives_up_at:
                raise
            log.info("failure_not_recorded_yet", because=type(away).__name__)
        _pause(pause_seconds)


def _pause(seconds: float) -> None:
    if in_greenlet():
        # Inside run_sync(): others run on the event loop.
        await_(asyncio.sleep(seconds))
    else:
        time.sleep(seconds)


def _superseded(attempt: Attempt, kind: str) -> AttemptFailedError:
    return AttemptFailedError("the attempt lost its lease", job=attempt.job_id, attempt=attempt.number, error=kind)


def _outcome_of(error: BaseException) -> Outcome:
    if isinstance(error, Cancel):
        return Outcome.CANCELLED
    return Outcome.TIMED_OUT if isinstance(error, SoftTimeLimitExceeded) else Outcome.FAILED


def _describe(error: BaseException) -> dict[str, Any]:
    """Return what the job's row keeps: {type, message, traceback}, without secrets, the end of a long one."""
    lines = "".join(traceback.format_exception(error))
    return {
        "type": type(error).__name__,
        "message": redact(_words_of(error))[:2000],
        "traceback": redact(lines)[-MAX_TRACEBACK_CHARACTERS:],
    }


def _words_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - an error of the body's own making may not even be able to say what it is
        return "it cannot be shown"
