"""What an `async def` body holds in its hands: `Job`, with an await before whatever goes to the database."""

from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from db.context import TenantContext
from db.session import BodySession, async_face, async_session_on
from tasks.job import Job, JobTenant


class AsyncJob:
    """One attempt of a job, as its `async def` body sees it. Everything it does in the database is the tenant's.

    The asyncio tasks that the body starts may use it too, one statement at a time; they end with the body.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._session: AsyncSession | None = None
        self.connection: AsyncConnection = async_face(job.connection)
        """SQLAlchemy Core, on the job's transaction."""

    @property
    def id(self) -> UUID:
        """The job's id; of a call, Celery's."""
        return self._job.id

    @property
    def idempotency_key(self) -> str:
        """For requests to the outside: the same in every attempt of this job, and no other job's of any tenant."""
        return self._job.idempotency_key

    @property
    def attempt(self) -> int:
        """Which try this is, from 1."""
        return self._job.attempt

    @property
    def tenant(self) -> JobTenant:
        """Whose job it is."""
        return self._job.tenant

    @property
    def state(self) -> Any | None:
        """What the last `checkpoint()` kept, also when that was in an earlier attempt. None at first."""
        return self._job.state

    @property
    def context(self) -> TenantContext:
        """For what the body opens by itself: `publishing_as()` in a thread, a session of its own."""
        return self._job.context

    @property
    def session(self) -> AsyncSession:
        """The ORM, on the same transaction as `connection`. Made on first use."""
        if self._session is None:
            self._session = async_session_on(self.connection, self.context)
            self._job.use_session(cast("BodySession", self._session.sync_session))
        return self._session

    async def progress(self, current: int, total: int | None = None, note: str | None = None) -> None:
        """Show how far the body is, at once and whatever becomes of its transaction. At most twice a second.

        Raises:
            LeaseLostError: stop; nothing will be kept.
        """
        await self.connection.run_sync(lambda _: self._job.progress(current, total, note))

    async def checkpoint(self, state: Any) -> None:
        """Keep what was written so far, together with where to go on from (JSON). A retry finds it in `state`.

        Raises:
            LeaseLostError: nothing since the last checkpoint was kept.
            NotInACallError: a call is all or nothing.
        """
        await self.connection.run_sync(lambda _: self._job.checkpoint(state))

    async def enqueue(self, task_name: str, payload: Any, *, run_at: datetime | None = None, priority: int = 0) -> UUID:
        """Return the id of a child job of the same tenant. It exists when this job's effects do.

        Of the tenant's jobs those with more `priority`, -100 to 100, are started first.
        """
        return await self.connection.run_sync(
            lambda _: self._job.enqueue(task_name, payload, run_at=run_at, priority=priority)
        )

    async def lock(self, key: str) -> None:
        """Wait until no other job of this tenant holds the lock of this name; hold it until the transaction ends.

        Raises:
            TooManyLocksError: 16 others are held already.
        """
        await self.connection.run_sync(lambda _: self._job.lock(key))

    async def flush(self) -> None:
        """Send pending ORM changes to the database."""
        await self.connection.run_sync(lambda _: self._job.flush())
