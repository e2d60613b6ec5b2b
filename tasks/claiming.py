"""Claiming the jobs that a message names; and what becomes of the message while PostgreSQL is away."""

import threading
import time

import structlog
from celery.exceptions import Reject
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, TimeoutError

from db import attempts
from db.attempts import Attempt
from db.bundle_connections import BundleConnections
from db.errors import TenantDeletingError, TenantSuspendedError
from tasks.declaration import TaskDeclaration
from tasks.heart import heart
from tasks.identity import identity
from tasks.message import JobMessage
from tasks.rejection import rejected

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 1.0
"""How long after PostgreSQL is back the first job may begin."""

log = structlog.get_logger(__name__)


class ClaimPostponedError(Exception):
    """PostgreSQL could not be asked. Nothing was claimed, so the message has to stay in the world."""


def claim(
    connections: BundleConnections, declaration: TaskDeclaration, message: JobMessage
) -> tuple[Connection, list[Attempt]]:
    """Return the attempts that the message may run, at least one, and the connection that claimed them.

    Raises:
        celery.exceptions.Reject: there is no job to claim, or its tenant may not work. The message is dropped.
        ClaimPostponedError: PostgreSQL is away.
    """
    facts = {"task": declaration.name, "jobs": [str(job_id) for job_id in message.job_ids]}
    try:
        connection = connections.next()
        claimed = _claim(connection, declaration, message)
    except (TenantSuspendedError, TenantDeletingError) as refusal:
        raise rejected("message_refused", refusal, **facts) from None
    except (InterfaceError, OperationalError, TimeoutError) as away:
        log.warning("claim_postponed", reason=type(getattr(away, "orig", away)).__name__, **facts)
        raise ClaimPostponedError from None
    _patience.restore()
    if not claimed:
        raise rejected("message_dropped", "no such job is waiting for this message", **facts)
    return connection, claimed


def _claim(connection: Connection, declaration: TaskDeclaration, message: JobMessage) -> list[Attempt]:
    try:
        return _claim_once(connection, declaration, message)
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        # The connection died in the pool, for example when PostgreSQL restarted. A second one tells the difference.
        connection.rollback()
        return _claim_once(connection, declaration, message)


def _claim_once(connection: Connection, declaration: TaskDeclaration, message: JobMessage) -> list[Attempt]:
    return attempts.claim(
        connection,
        tenant_id=message.tenant_id,
        job_ids=message.job_ids,
        nonce=message.nonce,
        task_name=declaration.name,
        worker=identity(),
        lease_seconds=heart().lease_seconds,
        lifetime_seconds=declaration.lifetime_seconds,
    )


class _Patience:
    """How long to wait before PostgreSQL is asked again: longer each time. Shared by a process's threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pause = FIRST_PAUSE_SECONDS

    def spend(self) -> float:
        with self._lock:
            pause = self._pause
            self._pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        return pause

    def restore(self) -> None:
        self._pause = FIRST_PAUSE_SECONDS


_patience = _Patience()


def give_back() -> Reject:
    """Wait a moment and return what gives the message back to the broker, to be delivered again.

    Dropped, its job would wait until the dispatcher sends it again. Kept for longer, it would use up the time limit of
    a body that has not begun, and a worker that is told to stop would have to be told to let go of it.
    """
    time.sleep(_patience.spend())
    return Reject("PostgreSQL is away", requeue=True)
