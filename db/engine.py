"""Engines, one per role and process, and the three moments at which they guard a context: begin, error, return.

Nothing outside this module builds an engine or takes "the database" for granted.
"""

import copy
import os
from asyncio import CancelledError
from collections.abc import Callable, Mapping
from typing import Any, Final

from psycopg import Error as DriverError
from sqlalchemy import Connection, Engine, RootTransaction, create_engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.engine.base import OptionEngine
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry, PoolProxiedConnection, QueuePool
from sqlalchemy.util.concurrency import in_greenlet

from db import cleaning
from db.context import TenantContext
from db.errors import BodyClosedError, PartywallError, from_database
from db.liveness import is_alive, is_settled
from db.opening import Opening
from db.roles import Role
from db.settings import DatabaseSettings
from db.transport import connect, connect_async

TENANT: Final = "partywall_tenant"
"""Execution option: the `TenantContext` of every transaction, or None where the platform speaks for itself."""
ONE_STATEMENT: Final = "partywall_one_statement"
"""Execution option: True sends no BEGIN. The context and one statement are a transaction of their own, 1 round trip."""
FENCE: Final = "partywall_fence"
"""Execution option: the `Statement` that lets each transaction commit, or raises. An option rather than a mark on the
connection, because a connection that is lost halfway is replaced by another, which has to be fenced too."""
CLOSING: Final = "partywall_closing"
"""Execution option: the `Statement` that travels with each transaction's COMMIT."""
OWNER: Final = "partywall_owner"
"""Execution option: the `Owner` who alone may use the connection. A body's context ends with it, threads do not."""

_engines: dict[Role, Engine] = {}
_least_connections = 0
_async_engines: dict[Role, AsyncEngine] = {}


def engine_for(role: Role) -> Engine:
    """Return this process's engine for the role, made on first use: a connection never crosses a fork.

    Raises:
        SettingMissingError: the role has no DSN.
    """
    if in_greenlet():
        # Inside run_sync(): a connection that waits synchronously would stop the event loop, and all that runs on it.
        return async_engine_for(role).sync_engine
    engine = _engines.get(role)
    if engine is None:
        settings = DatabaseSettings.load()
        made = build_engine(settings.url(role), settings=settings, application_name=f"partywall-{role.value}")
        # Two threads may come here at once. The one that is late drops an engine that never connected.
        engine = _engines.setdefault(role, made)
    return engine


def async_engine_for(role: Role) -> AsyncEngine:
    """Return this process's asyncio engine for the role. Use it on one event loop only."""
    engine = _async_engines.get(role)
    if engine is None:
        settings = DatabaseSettings.load()
        made = build_async_engine(settings.url(role), settings=settings, application_name=f"partywall-{role.value}")
        engine = _async_engines.setdefault(role, made)
    return engine


def need_connections(count: int) -> None:
    """Let every pool of this process that is made from now on lend at least `count` connections at once."""
    global _least_connections
    _least_connections = count


def _overflow(settings: DatabaseSettings) -> int:
    return max(settings.pool_size, _least_connections - settings.pool_size)


def build_engine(url: str, *, settings: DatabaseSettings, application_name: str) -> Engine:
    """Return a guarded engine for a DSN. Most code wants `engine_for()`."""
    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: connect(
            url, timeout_seconds=settings.connect_timeout_seconds, application_name=application_name
        ),
        poolclass=QueuePool,
        pool_size=settings.pool_size,
        max_overflow=_overflow(settings),
        **_POOL_HABITS,
    )
    _guard(engine)
    return engine


def build_async_engine(url: str, *, settings: DatabaseSettings, application_name: str) -> AsyncEngine:
    """Return a guarded asyncio engine for a DSN. Most code wants `async_engine_for()`."""
    engine = create_async_engine(
        "postgresql+psycopg_async://",
        async_creator=lambda: connect_async(
            url, timeout_seconds=settings.connect_timeout_seconds, application_name=application_name
        ),
        poolclass=AsyncAdaptedQueuePool,
        pool_size=settings.pool_size,
        max_overflow=_overflow(settings),
        **_POOL_HABITS,
    )
    _guard(engine.sync_engine)
    return engine


_POOL_HABITS: dict[str, Any] = {
    # The connection used last is warm; the others may be closed by a pooler without anyone waiting.
    "pool_use_lifo": True,
    # `cleaning.on_reset` rolls back itself, so that it can discard the session's state right after.
    "pool_reset_on_return": None,
    # Would look up an extension's oids on every new connection, for a type that nobody here uses.
    "use_native_hstore": False,
    # What is bound is a tenant's data or a token. An error is logged, stored with its job and shown.
    "hide_parameters": True,
}


class _Connection(Connection):
    """Says so when a transaction begins and when options are set.

    SQLAlchemy has events for both. But an engine with a listener to either is asked for its listeners at six points of
    every transaction, which cost as much as a round trip over loopback.
    """

    def _begin_impl(self, transaction: RootTransaction) -> None:
        _on_begin(self)
        super()._begin_impl(transaction)

    def execution_options(self, **options: Any) -> Connection:
        _refuse_isolation_level(options)
        return super().execution_options(**options)

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if error is None or not _is_a_bodys(self):
            super().__exit__(kind, error, trace)
        # Else the body fails of that error, and it is rolled back where the failure is recorded.

    def close(self) -> None:
        if _is_a_bodys(self):
            raise BodyClosedError(closed="its connection", hint=KEEP_OPEN_HINT)
        super().close()


KEEP_OPEN_HINT = "Use it without `with` and without close(): it ends with the body. A savepoint is begin_nested()."


def _is_a_bodys(connection: Connection) -> bool:
    return connection.get_execution_options().get(OWNER) is not None


def disown(connection: Connection) -> None:
    """Take a connection from the body that had it, so that it can be closed."""
    if not connection.closed:
        no_owner: dict[str, Any] = {OWNER: None}
        connection.execution_options(**no_owner)


class _OptionEngine(OptionEngine):
    """What `engine.execution_options()` makes: the same engine for connections with these options."""

    _connection_cls = _Connection

    def update_execution_options(self, **options: Any) -> None:
        _refuse_isolation_level(options)
        super().update_execution_options(**options)


_OptionEngine._option_cls = _OptionEngine


def _guard(engine: Engine) -> None:
    engine._connection_cls = _Connection
    engine._option_cls = _OptionEngine
    event.listen(engine, "handle_error", _on_error, retval=True)
    event.listen(engine, "checkout", _on_checkout)
    event.listen(engine, "reset", cleaning.on_reset)


def opening(context: TenantContext | None, *, one_statement: bool) -> Opening:
    """Return what goes ahead of a transaction's first statement."""
    begin: Opening = () if one_statement else (("begin", ()),)
    enter: Opening = () if context is None else (("select partywall.enter($1)", (context.token,)),)
    return begin + enter


def _on_begin(connection: Connection) -> None:
    driver: Any = connection.connection.driver_connection
    options = connection.get_execution_options()
    if TENANT not in options:
        # PostgreSQL refuses. Raised here, an error would leave SQLAlchemy in the belief that it is still beginning:
        # the next statement would run without BEGIN.
        driver.opening = (("begin", ()), ("select partywall.current_tenant_id()", ()))
        return
    one_statement = options.get(ONE_STATEMENT, False)
    driver.opening = opening(options[TENANT], one_statement=one_statement)
    driver.fence = None if one_statement else options.get(FENCE)
    driver.closing = None if one_statement else options.get(CLOSING)
    driver.owner = options.get(OWNER)


def _refuse_isolation_level(options: Mapping[str, Any]) -> None:
    if "isolation_level" in options:
        # SQLAlchemy would let psycopg send a BEGIN of its own, without a context, for whoever comes next too.
        raise PartywallError(
            "a tenant's transaction has PostgreSQL's default isolation level",
            asked=options["isolation_level"],
            hint="Lock what must not change meanwhile: select ... for update.",
        )


def _on_error(context: ExceptionContext) -> BaseException | None:
    error = context.original_exception
    if isinstance(error, CancelledError) and context.connection is not None:
        # psycopg has cancelled the query and read its answer. SQLAlchemy would take the connection for lost.
        context.is_disconnect = not is_settled(context.connection.connection.driver_connection)
        return None
    if context.sqlalchemy_exception is not None and not isinstance(error, DriverError):
        # Raised on the way to a statement: by us, or by a time limit that struck there. Nobody would recognise it in
        # the StatementError that SQLAlchemy makes of it. A copy, because SQLAlchemy raises it `from` the original.
        return copy.copy(error)
    return from_database(error)


def _on_checkout(dbapi_connection: Any, record: ConnectionPoolEntry, proxy: Any) -> None:
    """Let a connection that the server has closed be replaced before anyone notices. Costs no round trip."""
    if not is_alive(record.driver_connection):
        raise DisconnectionError("PostgreSQL closed the connection while it was in the pool")


def connection_over(pooled: PoolProxiedConnection, engine: Engine) -> Connection:
    """Return a new connection of the engine's over a pooled one that is checked out already."""
    return engine._connection_cls(engine, connection=pooled)


def dispose_engines() -> None:
    """Close this process's idle connections and forget its settings. The next use reads and opens anew."""
    for engine in _engines.values():
        engine.dispose()
    _engines.clear()


async def dispose_async_engines() -> None:
    """Close the event loop's idle connections."""
    for engine in _async_engines.values():
        await engine.dispose()
    _async_engines.clear()


def _forget_engines() -> None:
    # The sockets belong to the parent: forget them without saying goodbye to the server.
    engines: list[Callable[..., None]] = [engine.dispose for engine in _engines.values()]
    engines += [engine.sync_engine.dispose for engine in _async_engines.values()]
    for dispose in engines:
        dispose(close=False)
    _engines.clear()
    _async_engines.clear()


os.register_at_fork(after_in_child=_forget_engines)
