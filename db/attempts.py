"""One attempt of a job, as the worker that runs it sees it: claim, progress, checkpoint, finish, fail."""

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any, cast
from uuid import UUID

import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError

from db.cleaning import clean_behind
from db.context import TenantContext
from db.engine import FENCE
from db.errors import PartywallError
from db.jobs import JobState
from db.roles import Role
from db.round_trip import Statement
from db.session import Executor, platform_connection
from db.storable import storable
from db.transport import CANCEL_TIMEOUT_SECONDS, TenantConnection


class Outcome(StrEnum):
    """How an attempt ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    HANDED_BACK = "handed_back"
    """Its worker was told to stop, or it had not begun when its message ended. It does not count as a try."""
    KILLED = "killed"
    """The process that ran it was killed, and its worker saw it."""
    LOST = "lost"
    """Nobody extended its lease: the process is gone, stood still or could not reach the database."""


@dataclass(frozen=True, slots=True)
class WorkerIdentity:
    """The process that claims: an id that no other process ever has, and a name for people, `worker@host/pid`."""

    id: UUID
    name: str
    secret: bytes = field(default_factory=partial(secrets.token_bytes, 32), repr=False)
    """What it proves with that it is the one that was listed; the bodies it runs have its login, too."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """The right to run a job once, until `lease_expires_at`; heartbeats move that."""

    job_id: UUID
    number: int
    """From 1; never reset."""
    max_attempts: int
    payload: Any
    checkpoint: Any | None
    tenant_slug: str
    tenant_name: str
    lease_expires_at: datetime
    context: TenantContext


_CLAIM = text("""
    select *
    from partywall.claim(
        :tenant, :job_ids, :nonce, :task, :worker, :worker_id, make_interval(secs => :lease),
        make_interval(secs => :lifetime)
    )
""")
_FAIL = text("select partywall.fail(:error, make_interval(secs => :retry_after), :outcome)").bindparams(
    bindparam("error", type_=JSONB)
)
_END = text("select * from partywall.end_attempts(:tenant, :job_ids, :nonce, :worker, :outcome)")
_PROGRESS = text("select partywall.report_progress(:current, :total, :note)")
_CHECKPOINT = text("select partywall.save_checkpoint(:state)").bindparams(bindparam("state", type_=JSONB))

_HOLD_LEASE: Statement = ("select partywall.hold_lease()", ())


def claim(
    connection: Connection,
    *,
    tenant_id: UUID,
    job_ids: Sequence[UUID],
    nonce: UUID,
    task_name: str,
    worker: WorkerIdentity,
    lease_seconds: float,
    lifetime_seconds: float,
) -> list[Attempt]:
    """Return the attempts this message may run, in the order of `job_ids`. One round trip.

    `lifetime_seconds` is how long an attempt may take at most, however often its lease is extended. An empty list means
    that someone else has the jobs or that they are over: drop the message.

    Raises:
        TenantSuspendedError, TenantDeletingError: nothing was claimed; the jobs stay.
    """
    rows = connection.execute(
        _CLAIM,
        {
            "tenant": tenant_id,
            "job_ids": list(job_ids),
            "nonce": nonce,
            "task": task_name,
            "worker": worker.name,
            "worker_id": worker.id,
            "lease": lease_seconds,
            "lifetime": lifetime_seconds,
        },
    ).all()
    connection.commit()
    return [
        Attempt(
            job_id=row.job_id,
            number=row.attempt,
            max_attempts=row.max_attempts,
            payload=row.payload,
            checkpoint=row.checkpoint,
            tenant_slug=row.tenant_slug,
            tenant_name=row.tenant_name,
            lease_expires_at=row.lease_expires_at,
            context=TenantContext.of(row.token),
        )
        for row in rows
    ]


def fence(connection: Connection) -> None:
    """From now on let this connection commit only while its attempt holds the lease."""
    options: dict[str, Any] = {FENCE: _HOLD_LEASE}
    connection.execution_options(**options)


_FINISH = "select partywall.finish($1)"
_FINISH_WITHOUT_WAITING = f"{_FINISH}, pg_catalog.set_config('synchronous_commit', 'off', true)"


def finish(connection: Connection, *, result: Any | None, waits: bool = True, is_last: bool = True) -> None:
    """Commit the body's effects and the success of its attempt, in one transaction and one round trip.

    Without `waits` the disk is not waited for: until a later commit has, a crash of PostgreSQL takes back both, and the
    job runs again. See `partywall.wait_for_disk()` for who may not be told before. The session is cleaned on the way:
    for the pool, or where this is not the last job of its message, for the next one.

    Raises:
        LeaseLostError: nothing was kept.
    """
    if not connection.in_transaction():
        connection.begin()
    driver = _driver(connection)
    driver.fence = (_FINISH if waits else _FINISH_WITHOUT_WAITING, (json.dumps(result),))
    clean_behind(driver, is_last=is_last)
    connection.commit()


def fail(
    connection: Connection,
    *,
    error: dict[str, Any] | None,
    retry_after_seconds: float | None,
    outcome: Outcome = Outcome.FAILED,
) -> JobState:
    """Record an attempt that did not succeed and whose effects were rolled back; return the state its job is in now.

    `retry_after_seconds` None means never again.

    Raises:
        LeaseLostError: another attempt has the job, or it is over.
    """
    connection.begin()
    # The failure gives the lease back, so it cannot be asked to hold it.
    _driver(connection).fence = None
    values = {"error": storable(error), "retry_after": retry_after_seconds, "outcome": outcome.value}
    state = connection.execute(_FAIL, values).scalar_one()
    connection.commit()
    return JobState(state)


def end_attempts(
    connection: Connection, *, tenant_id: UUID, job_ids: Sequence[UUID], nonce: UUID, worker: str, outcome: Outcome
) -> dict[UUID, JobState]:
    """End what a process was running, in its name, because it cannot speak; return the states its jobs are in now.

    `worker` is the name it claimed with. Jobs it had ended itself are left out.
    """
    values = {
        "tenant": tenant_id,
        "job_ids": list(job_ids),
        "nonce": nonce,
        "worker": worker,
        "outcome": outcome.value,
    }
    ended = connection.execute(_END, values).all()
    connection.commit()
    return {row.job_id: JobState(row.new_state) for row in ended}


def report_progress(context: TenantContext, *, current: int, total: int | None, note: str | None) -> None:
    """Show how far the body is, at once and outside its transaction.

    Raises:
        LeaseLostError: stop working; nothing will be kept.
    """
    with platform_connection(Role.WORKER, context=context) as connection:
        connection.execute(_PROGRESS, {"current": current, "total": total, "note": storable(note)})


def save_checkpoint(executor: Executor, *, state: Any) -> None:
    """Store where a retry goes on from, in the transaction of the work it stands for.

    Raises:
        LeaseLostError: nothing of this transaction will be kept.
    """
    executor.execute(_CHECKPOINT, {"state": state})


def abandon(connection: Connection) -> None:
    """Roll back what the body did. A connection that cannot is closed; the next statement gets another."""
    try:
        connection.rollback()
    except DBAPIError:
        connection.invalidate()
        connection.rollback()
    # Interrupted on its way to COMMIT, SQLAlchemy takes the transaction for ended and sends no ROLLBACK.
    connection.connection.rollback()
    if _driver(connection).closed:
        connection.invalidate()
    # Interrupted on its way to BEGIN, it believes that it is still beginning and would never begin again by itself.
    connection.begin().rollback()


class CancelUnansweredError(PartywallError):
    """PostgreSQL could not be asked to cancel a query."""


def interrupt(connection: Connection) -> bool:
    """Cancel the query that the connection is executing; return False when there is none. From any thread.

    Raises:
        CancelUnansweredError: PostgreSQL cannot be reached. The query's answer will not come either.
    """
    if connection.closed or connection.invalidated:
        return False
    driver = _driver(connection)
    if driver.pgconn.transaction_status != TransactionStatus.ACTIVE:
        return False
    try:
        driver.cancel_safe(timeout=CANCEL_TIMEOUT_SECONDS)
    except psycopg.Error as error:
        raise CancelUnansweredError from error
    return True


def _driver(connection: Connection) -> TenantConnection:
    return cast("TenantConnection", connection.connection.driver_connection)
