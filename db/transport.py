"""How a context reaches the server: with BEGIN and the first statement, in one network round trip.

The connections here are in autocommit as far as psycopg knows, so psycopg sends no BEGIN of its own. When SQLAlchemy
begins a transaction, `engine.py` leaves an `Opening` on the connection; the first statement takes it along in a
pipeline. A transaction with one statement then costs two round trips (opening + statement, COMMIT), where a bare
connection needs three. Measured by tests/db/test_round_trips.py.
"""

import logging
import select
from collections.abc import AsyncIterator, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
)
from typing import Any, Self, TypeVar, cast

import psycopg
from psycopg import waiting
from psycopg.abc import Params, PQGen, QueryNoTemplate
from psycopg.pq import ConnStatus, PipelineStatus, TransactionStatus
from psycopg.pq.abc import PGconn
from psycopg.rows import TupleRow

from db.transaction_control import may_hold_several, refuse_transaction_control

Statement = tuple[str, tuple[Any, ...]]
"""SQL with %s placeholders and what is bound to them. A token is always bound: a literal shows in pg_stat_activity."""

Opening = tuple[Statement, ...]
"""What has to reach the server before a transaction's first statement, in order."""

CANCEL_TIMEOUT_SECONDS = 5.0

log = logging.getLogger(__name__)

Result = TypeVar("Result")


class _Tenanted:
    """What both kinds of connection remember between BEGIN and COMMIT."""

    opening: Opening = ()
    """Sent ahead of the next statement, then forgotten."""
    fence: Statement | None = None
    """Sent ahead of this transaction's COMMIT, in its round trip. When it raises, nothing is committed."""

    def take_opening(self) -> Opening:
        opening, self.opening = self.opening, ()
        return opening

    def take_fence(self) -> Statement | None:
        fence, self.fence = self.fence, None
        return fence

    def forget(self) -> None:
        """Drop what was meant for a transaction that will not go on."""
        self.opening, self.fence = (), None


class TenantConnection(_Tenanted, psycopg.Connection[TupleRow]):
    """A psycopg connection that sends openings and fences."""

    def commit(self) -> None:
        """Commit, if the fence lets it. One round trip, with or without a fence."""
        opening, fence = self.take_opening(), self.take_fence()
        if fence is None:
            super().commit()
            return
        try:
            # A body that touched no table has not begun yet: its outcome brings BEGIN and context along.
            with self.pipeline():
                for statement in (*opening, fence, ("commit", ())):
                    psycopg.Cursor(self).execute(*_spoken(statement))
        except BaseException:
            # SQLAlchemy takes a COMMIT that failed for the end of the transaction. A fence that fails ends nothing.
            self.rollback()
            raise

    def rollback(self) -> None:
        """Roll back. A transaction that never spoke is forgotten without a round trip."""
        self.forget()
        if is_settled(self):
            super().rollback()
        else:
            # No statement can follow here. PostgreSQL rolls back what is cut off.
            self.close()

    def wait(self, gen: PQGen[Result], *args: Any, **kwargs: Any) -> Result:
        """Drive the protocol; when interrupted by an exception, cancel the query and drain its answer.

        psycopg does so for Ctrl-C only. A time limit is an exception too, raised by a signal handler, and would leave
        the connection in the middle of an answer: neither usable nor returnable.
        """
        try:
            return super().wait(gen, *args, **kwargs)
        except psycopg.Error:
            raise  # the exchange itself said so; halfway through a pipeline it goes on, and nothing is to be cancelled
        except BaseException:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self._drain(gen)
            raise

    def _drain(self, gen: PQGen[Any]) -> None:
        try:
            self.cancel_safe(timeout=CANCEL_TIMEOUT_SECONDS)
            waiting.wait(gen, self.pgconn.socket, timeout=CANCEL_TIMEOUT_SECONDS)
        except psycopg.errors.QueryCanceled:
            return
        except psycopg.Error as error:
            log.warning("could not drain a cancelled query: %s", type(error).__name__)
        if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
            # The interruption broke the exchange off. A closed connection is safe, a half-read one is not.
            self.pgconn.finish()


class AsyncTenantConnection(_Tenanted, psycopg.AsyncConnection[TupleRow]):
    """The same for asyncio. It carries no fence: only workers run attempts, and workers are synchronous."""

    async def commit(self) -> None:
        self.forget()
        await super().commit()

    async def rollback(self) -> None:
        self.forget()
        await super().rollback()


def _spoken(statement: Statement) -> tuple[QueryNoTemplate, Params]:
    # psycopg wants literal strings; these come from engine.py and session.py only, never from input.
    return cast("QueryNoTemplate", statement[0]), statement[1]


class TenantCursor(psycopg.Cursor[TupleRow]):
    """Sends the connection's opening in the same pipeline as its own first statement."""

    def _with_opening(self) -> AbstractContextManager[Any]:
        return _opening_pipeline(cast("TenantConnection", self.connection))

    def execute(self, query: Any, params: Params | None = None, **options: Any) -> Self:
        with self._one_statement(query), self._with_opening():
            return super().execute(query, params, **options)

    def executemany(self, query: Any, params_seq: Any, **options: Any) -> None:
        with self._one_statement(query), self._with_opening():
            super().executemany(query, params_seq, **options)

    @contextmanager
    def _one_statement(self, query: Any) -> Iterator[None]:
        """While a fence stands, let no text end the transaction that the fence is to see the end of."""
        connection = cast("TenantConnection", self.connection)
        if connection.fence is None:
            yield
            return
        refuse_transaction_control(query)
        if not may_hold_several(query):
            yield
            return
        # In a pipeline the server takes one statement a text, so no `commit` can follow behind a semicolon.
        with connection.pipeline():
            yield

    @contextmanager
    def copy(self, *args: Any, **kwargs: Any) -> Iterator[psycopg.Copy]:
        # COPY cannot travel in a pipeline: the opening goes ahead, at the price of a round trip.
        with self._with_opening():
            pass
        with super().copy(*args, **kwargs) as copy:
            yield copy

    def stream(self, *args: Any, **kwargs: Any) -> Iterator[TupleRow]:
        # Nor can rows that are fetched one by one.
        with self._with_opening():
            pass
        yield from super().stream(*args, **kwargs)


class TenantServerCursor(psycopg.ServerCursor[TupleRow]):
    """A named cursor: DECLARE needs the transaction to exist, so the opening goes ahead."""

    def execute(self, query: Any, params: Params | None = None, **options: Any) -> Self:
        with _opening_pipeline(cast("TenantConnection", self.connection)):
            pass
        return super().execute(query, params, **options)


class AsyncTenantCursor(psycopg.AsyncCursor[TupleRow]):
    """`TenantCursor` for asyncio."""

    def _with_opening(self) -> AbstractAsyncContextManager[Any]:
        return _async_opening_pipeline(cast("AsyncTenantConnection", self.connection))

    async def execute(self, query: Any, params: Params | None = None, **options: Any) -> Self:
        async with self._with_opening():
            return await super().execute(query, params, **options)

    async def executemany(self, query: Any, params_seq: Any, **options: Any) -> None:
        async with self._with_opening():
            await super().executemany(query, params_seq, **options)

    @asynccontextmanager
    async def copy(self, *args: Any, **kwargs: Any) -> AsyncIterator[psycopg.AsyncCopy]:
        async with self._with_opening():
            pass
        async with super().copy(*args, **kwargs) as copy:
            yield copy

    async def stream(self, *args: Any, **kwargs: Any) -> AsyncIterator[TupleRow]:
        async with self._with_opening():
            pass
        async for row in super().stream(*args, **kwargs):
            yield row


class AsyncTenantServerCursor(psycopg.AsyncServerCursor[TupleRow]):
    """`TenantServerCursor` for asyncio."""

    async def execute(self, query: Any, params: Params | None = None, **options: Any) -> Self:
        async with _async_opening_pipeline(cast("AsyncTenantConnection", self.connection)):
            pass
        return await super().execute(query, params, **options)


@contextmanager
def _opening_pipeline(connection: TenantConnection) -> Iterator[None]:
    opening = connection.take_opening()
    if not opening:
        yield
        return
    with connection.pipeline():
        for statement in opening:
            psycopg.Cursor(connection).execute(*_spoken(statement))
        yield


@asynccontextmanager
async def _async_opening_pipeline(connection: AsyncTenantConnection) -> AsyncIterator[None]:
    opening = connection.take_opening()
    if not opening:
        yield
        return
    async with connection.pipeline():
        for statement in opening:
            await psycopg.AsyncCursor(connection).execute(*_spoken(statement))
        yield


def connect(url: str, *, timeout_seconds: int, application_name: str) -> TenantConnection:
    """Return a connection for a synchronous engine. Statements stay unnamed, so none can be booby-trapped."""
    connection = TenantConnection.connect(
        url,
        autocommit=True,
        prepare_threshold=None,
        cursor_factory=TenantCursor,
        connect_timeout=timeout_seconds,
        application_name=application_name,
    )
    connection.server_cursor_factory = TenantServerCursor
    return connection


async def connect_async(url: str, *, timeout_seconds: int, application_name: str) -> AsyncTenantConnection:
    """Return a connection for an asyncio engine."""
    connection = await AsyncTenantConnection.connect(
        url,
        autocommit=True,
        prepare_threshold=None,
        cursor_factory=AsyncTenantCursor,
        connect_timeout=timeout_seconds,
        application_name=application_name,
    )
    connection.server_cursor_factory = AsyncTenantServerCursor
    return connection


def is_settled(connection: Any) -> bool:
    """Return False when the connection is closed or in the middle of an exchange, where no statement can follow."""
    pgconn: PGconn = connection.pgconn
    return (
        pgconn.status == ConnStatus.OK
        and pgconn.pipeline_status == PipelineStatus.OFF
        and pgconn.transaction_status != TransactionStatus.ACTIVE
        # Broken off between the server's last answer and psycopg's own tidying up.
        and connection._pipeline is None
    )


def is_alive(connection: Any) -> bool:
    """Return False when the server has said goodbye to an idle connection.

    A restart or a terminated backend leaves the goodbye in the socket; looking there is one system call. A network
    that swallows packets cannot be noticed this way, only by the time limit of the next statement.
    """
    pgconn: PGconn = connection.pgconn
    # Not select(2), which refuses file descriptors above 1023.
    socket = select.poll()
    try:
        socket.register(pgconn.socket, select.POLLIN)
        # The goodbye is a message and then the end of the stream: read until nothing is left to read.
        while pgconn.status == ConnStatus.OK and socket.poll(0):
            pgconn.consume_input()
    except psycopg.OperationalError:
        return False
    return pgconn.status == ConnStatus.OK


def plain_url(url: str) -> str:
    """Return the DSN as SQLAlchemy spells it, for connections that carry no context: migrations and checks."""
    return url.replace("postgresql://", "postgresql+psycopg://", 1).replace("postgres://", "postgresql+psycopg://", 1)
