"""The doors: `tenant_session()` into a tenant's rows, `platform_connection()` for calls that name no tenant, and
`tenantless_session()` for tasks that have none."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, event, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession
from sqlalchemy.orm import ORMExecuteState, Session, with_loader_criteria

from db.cleaning import clean_behind
from db.context import TenantContext
from db.engine import CLOSING, KEEP_OPEN_HINT, ONE_STATEMENT, OWNER, TENANT, async_engine_for, disown, engine_for
from db.errors import BodyClosedError, NoTenantError, PartywallError, TokenExpiredError, TokenRejectedError
from db.owner import Owner
from db.roles import Role
from db.round_trip import Statement
from db.rows import TenantRow

Executor = Session | Connection
"""What the functions of `db` speak through: either side of the same transaction."""


class TenantSession(Session):
    """An ORM session that adds `tenant_id = :t` to what it asks for.

    The policy enforces with or without it. With it the planner knows whose rows it plans for: a tenant with 90,000
    rows is otherwise estimated at 103.
    """


@event.listens_for(TenantSession, "do_orm_execute")
def _add_tenant_predicate(state: ORMExecuteState) -> None:
    tenant_id: UUID = state.session.info["tenant_id"]
    if state.is_select or state.is_update or state.is_delete:
        state.statement = state.statement.options(
            with_loader_criteria(TenantRow, lambda row: row.tenant_id == tenant_id, include_aliases=True)
        )


class BodySession(TenantSession):
    """A session on the one transaction of a body. Closing it halfway would roll that back, so only the worker may."""

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if error is None:
            self.close()

    def close(self) -> None:
        if self.in_transaction():
            raise BodyClosedError(closed="its session", hint=KEEP_OPEN_HINT)
        super().close()

    def let_go(self) -> None:
        """Forget every object. What becomes of the transaction is decided on the connection."""
        super().close()


def session_on(connection: Connection, context: TenantContext) -> BodySession:
    """Return a session on a connection that is already the tenant's; a commit on either is a commit of both."""
    return BodySession(bind=connection, join_transaction_mode="control_fully", info={"tenant_id": context.tenant_id})


def async_face(connection: Connection) -> AsyncConnection:
    """Return what coroutines call on a connection that was opened inside `run_sync()`: the same transactions."""
    return AsyncConnection(AsyncEngine(connection.engine), connection)


def async_session_on(connection: AsyncConnection, context: TenantContext) -> AsyncSession:
    """Return `session_on()` for coroutines. Objects stay readable after a commit: reading one anew needs an await."""
    return AsyncSession(
        bind=connection,
        sync_session_class=BodySession,
        join_transaction_mode="control_fully",
        info={"tenant_id": context.tenant_id},
        expire_on_commit=False,
    )


_WAIT_FOR_DISK: Statement = ("select partywall.wait_for_disk()", ())


def wait_for_disk(executor: Executor) -> None:
    """Return when no crash of PostgreSQL can take back what was read; ends the transaction.

    What a job of a bundle has committed is shown before it is on the disk: see `partywall.wait_for_disk()`.
    """
    executor.execute(text(_WAIT_FOR_DISK[0]))
    executor.commit()


def tenant_options(context: TenantContext, role: Role) -> dict[str, Any]:
    """Return what makes an engine's transactions the tenant's. Those that tell what they read tell what stays."""
    return {TENANT: context} | ({CLOSING: _WAIT_FOR_DISK} if role in _TELL else {})


_TELL = (Role.API, Role.OPERATOR)
_REFUSED_CONTEXTS = (NoTenantError, TokenRejectedError, TokenExpiredError)


def _before_refusing(session: Session, error: PartywallError, role: Role) -> None:
    """Make what a refusal tells stay: that a job is over already, or that there is such a job."""
    if role in _TELL and not isinstance(error, _REFUSED_CONTEXTS):
        session.rollback()
        wait_for_disk(session)


@contextmanager
def tenant_session(context: TenantContext, *, role: Role) -> Iterator[TenantSession]:
    """Open a transaction as the tenant; commit when the block ends, roll back when it raises.

    Every transaction of the session is the tenant's, also after a `commit()` halfway. When the block of an API's or an
    operator's session has ended, also with a PartywallError, no crash of PostgreSQL takes back what it has read.

    Raises:
        TokenRejectedError, TokenExpiredError: with the first statement; nothing was read or written.
    """
    bind = engine_for(role).execution_options(**tenant_options(context, role))
    with TenantSession(bind=bind, info={"tenant_id": context.tenant_id}) as session:
        try:
            yield session
        except PartywallError as error:
            _before_refusing(session, error, role)
            raise
        _commit_last(session)


def _commit_last(session: Session) -> None:
    """Commit, and have the session cleaned for the pool in that round trip."""
    if session.in_transaction():
        clean_behind(session.connection().connection.driver_connection, is_last=True)
    # A transaction that only read ends with COMMIT too: psycopg's rollback throws prepared state away.
    session.commit()


@asynccontextmanager
async def async_tenant_session(context: TenantContext, *, role: Role) -> AsyncIterator[AsyncSession]:
    """Open a transaction as the tenant on the event loop.

    The functions of `db` take a synchronous session: pass them to `session.run_sync()`. So each is written once.
    """
    bind = async_engine_for(role).execution_options(**tenant_options(context, role))
    async with AsyncSession(
        bind=bind,
        sync_session_class=TenantSession,
        info={"tenant_id": context.tenant_id},
        expire_on_commit=False,
    ) as session:
        try:
            yield session
        except PartywallError as error:
            await session.run_sync(_before_refusing, error, role)
            raise
        await session.run_sync(_commit_last)


@contextmanager
def tenantless_session() -> Iterator[Session]:
    """Open a transaction of no tenant, for a `tenantless=True` task; commit when the block ends, unless it raises.

    Its login, `partywall_scheduler`, may use no table until you grant it one that belongs to no tenant, and its schema.
    """
    options: dict[str, Any] = {TENANT: None}
    with Session(bind=engine_for(Role.SCHEDULER).execution_options(**options)) as session:
        yield session
        session.commit()


PLATFORM: dict[str, Any] = {TENANT: None, ONE_STATEMENT: True}
"""Execution options of an engine whose connections name no tenant until they `become()` one's."""


@contextmanager
def platform_connection(role: Role, *, context: TenantContext | None = None) -> Iterator[Connection]:
    """Open a connection for statements of which each is a transaction of its own and costs one round trip.

    Without a context it can reach no tenant's row: policies raise NoTenantError. `context` covers the first
    statement only.
    """
    options = PLATFORM | {TENANT: context}
    with engine_for(role).execution_options(**options).connect() as connection:
        try:
            yield connection
        finally:
            disown(connection)


@asynccontextmanager
async def async_platform_connection(role: Role) -> AsyncIterator[AsyncConnection]:
    """Open an asyncio connection for one-statement calls that name no tenant."""
    async with async_engine_for(role).execution_options(**PLATFORM).connect() as connection:
        try:
            yield connection
        finally:
            if connection.sync_connection is not None:
                disown(connection.sync_connection)


def become(connection: Connection, context: TenantContext) -> None:
    """Make a platform connection the tenant's, and this body's, from its next transaction on."""
    options: dict[str, Any] = {TENANT: context, ONE_STATEMENT: False, OWNER: Owner.enter()}
    connection.execution_options(**options)
