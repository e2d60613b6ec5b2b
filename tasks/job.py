"""What a body holds in its hands: the job, its tenant, and the one transaction it works in."""

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn, Self
from uuid import UUID

from sqlalchemy import Connection

from db import attempts
from db.attempts import Attempt
from db.context import TenantContext
from db.locks import hold_lock
from db.session import BodySession, TenantSession, session_on
from tasks import producing
from tasks.errors import NotInACallError

PROGRESS_INTERVAL_SECONDS = 0.5
"""Progress is for people: reports that come faster are left out, except the last."""


@dataclass(frozen=True, slots=True)
class JobTenant:
    """Whose job it is."""

    id: UUID
    slug: str
    name: str


class Job:
    """One attempt of a job, as its body sees it. Everything it does in the database is the tenant's."""

    def __init__(
        self,
        connection: Connection,
        context: TenantContext,
        *,
        id: UUID,
        attempt: int,
        tenant: JobTenant,
        state: Any | None = None,
    ) -> None:
        self.id = id
        self.attempt = attempt
        self.tenant = tenant
        self.state = state
        """What the last `checkpoint()` kept, also when that was in an earlier attempt. None at first."""
        self.connection = connection
        """SQLAlchemy Core, on the job's transaction."""
        self.context = context
        """For what the body opens by itself: `publishing_as()` in a thread, a session of its own."""
        self._session: BodySession | None = None
        self._progress_reported_at: float | None = None

    @classmethod
    def of(cls, attempt: Attempt, connection: Connection) -> Self:
        """Return the job of an attempt, on a connection that is already its tenant's."""
        return cls(
            connection,
            attempt.context,
            id=attempt.job_id,
            attempt=attempt.number,
            tenant=JobTenant(id=attempt.context.tenant_id, slug=attempt.tenant_slug, name=attempt.tenant_name),
            state=attempt.checkpoint,
        )

    @property
    def idempotency_key(self) -> str:
        """For requests to the outside: the same in every attempt of this job, and no other job's of any tenant."""
        return str(self.id)

    @property
    def session(self) -> TenantSession:
        """The ORM, on the same transaction as `connection`. Made on first use."""
        if self._session is None:
            self._session = session_on(self.connection, self.context)
        return self._session

    def use_session(self, session: BodySession) -> None:
        """Take a session that was made on `connection` for the one of this job."""
        self._session = session

    def progress(self, current: int, total: int | None = None, note: str | None = None) -> None:
        """Show how far the body is, at once and whatever becomes of its transaction. At most twice a second.

        Raises:
            LeaseLostError: stop; nothing will be kept.
        """
        now = time.monotonic()
        last = self._progress_reported_at
        if last is not None and now - last < PROGRESS_INTERVAL_SECONDS and current != total:
            return
        self._progress_reported_at = now
        attempts.report_progress(self.context, current=current, total=total, note=note)

    def checkpoint(self, state: Any) -> None:
        """Keep what was written so far, together with where to go on from (JSON). A retry finds it in `state`.

        Raises:
            LeaseLostError: nothing since the last checkpoint was kept.
        """
        self.flush()
        attempts.save_checkpoint(self.connection, state=state)
        if self._session is not None:
            self._session.commit()
        else:
            self.connection.commit()
        self.state = state

    def enqueue(self, task_name: str, payload: Any, *, run_at: datetime | None = None, priority: int = 0) -> UUID:
        """Return the id of a child job of the same tenant. It exists when this job's effects do.

        Of the tenant's jobs those with more `priority`, -100 to 100, are started first.
        """
        return producing.enqueue(self.connection, task_name, payload, run_at=run_at, priority=priority)

    def lock(self, key: str) -> None:
        """Wait until no other job of this tenant holds the lock of this name; hold it until the transaction ends.

        Raises:
            TooManyLocksError: 16 others are held already.
        """
        hold_lock(self.connection, key)

    def flush(self) -> None:
        """Send pending ORM changes to the database."""
        if self._session is not None:
            self._session.flush()

    def close(self) -> None:
        """Let go of the session. The connection belongs to the worker."""
        if self._session is not None:
            self._session.let_go()


class CalledJob(Job):
    """What the body of a call is given: the same, but no row keeps its progress, its state or its outcome."""

    def progress(self, current: int, total: int | None = None, note: str | None = None) -> None:
        """Do nothing: nobody can look."""

    def checkpoint(self, state: Any) -> NoReturn:
        """Refuse.

        Raises:
            NotInACallError: a call is all or nothing.
        """
        raise NotInACallError(call=self.id, hint="Enqueue the task: POST /v1/jobs, or job.enqueue() in another.")
