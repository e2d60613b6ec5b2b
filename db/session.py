"""The doors: `tenant_session()` into a tenant's rows, `platform_connection()` for calls that name no tenant."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import ORMExecuteState, Session, with_loader_criteria

from db.context import TenantContext
from db.engine import ONE_STATEMENT, TENANT, async_engine_for, engine_for
from db.roles import Role
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


def session_on(connection: Connection, context: TenantContext) -> TenantSession:
    """Return a session on a connection that is already the tenant's; a commit on either is a commit of both."""
    return TenantSession(bind=connection, join_transaction_mode="control_fully", info={"tenant_id": context.tenant_id})


@contextmanager
def tenant_session(context: TenantContext, *, role: Role) -> Iterator[TenantSession]:
    """Open a transaction as the tenant; commit when the block ends, roll back when it raises.

    Every transaction of the session is the tenant's, also after a `commit()` halfway.

    Raises:
        TokenRejectedError, TokenExpiredError: with the first statement; nothing was read or written.
    """
    options: dict[str, Any] = {TENANT: context}
    bind = engine_for(role).execution_options(**options)
    with TenantSession(bind=bind, info={"tenant_id": context.tenant_id}) as session:
        yield session
        # A transaction that only read ends with COMMIT too: psycopg's rollback throws prepared state away.
        session.commit()


@asynccontextmanager
async def async_tenant_session(context: TenantContext, *, role: Role) -> AsyncIterator[AsyncSession]:
    """Open a transaction as the tenant on the event loop.

    The functions of `db` take a synchronous session: pass them to `session.run_sync()`. So each is written once.
    """
    options: dict[str, Any] = {TENANT: context}
    bind = async_engine_for(role).execution_options(**options)
    async with AsyncSession(
        bind=bind,
        sync_session_class=TenantSession,
        info={"tenant_id": context.tenant_id},
        expire_on_commit=False,
    ) as session:
        yield session
        await session.commit()


_PLATFORM: dict[str, Any] = {TENANT: None, ONE_STATEMENT: True}


@contextmanager
def platform_connection(role: Role, *, context: TenantContext | None = None) -> Iterator[Connection]:
    """Open a connection for statements of which each is a transaction of its own and costs one round trip.

    Without a context it can reach no tenant's row: policies raise NoTenantError. `context` covers the first
    statement only.
    """
    options = _PLATFORM | {TENANT: context}
    with engine_for(role).execution_options(**options).connect() as connection:
        yield connection


@asynccontextmanager
async def async_platform_connection(role: Role) -> AsyncIterator[AsyncConnection]:
    """Open an asyncio connection for one-statement calls that name no tenant."""
    async with async_engine_for(role).execution_options(**_PLATFORM).connect() as connection:
        yield connection


def become(connection: Connection, context: TenantContext) -> None:
    """Make every later transaction on a platform connection the tenant's. Between transactions only."""
    options: dict[str, Any] = {TENANT: context, ONE_STATEMENT: False}
    connection.execution_options(**options)
