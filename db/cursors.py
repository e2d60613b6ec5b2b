"""Cursors that bring the transaction's opening along with their first statement."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from typing import Any, Self

import psycopg
from psycopg.abc import Params, PQGen
from psycopg.rows import TupleRow

from db.body_statements import may_change_settings, refuse_in_a_body
from db.first_statement import execute_with_opening
from db.opening import async_opening_pipeline, opening_pipeline
from db.transaction_control import may_hold_several, refuse_several


def _check_alone(connection: Any, query: Any) -> None:
    """Refuse, while a fence stands, what could end the transaction where no pipeline keeps a text to one statement."""
    connection.require_owner()
    if connection.fence is not None:
        _admit(connection, query)
        refuse_several(query)


def _admit(connection: Any, query: Any) -> None:
    refuse_in_a_body(query)
    if may_change_settings(query):
        connection.changed_settings = True


class _SendingAlone(psycopg.Cursor[TupleRow]):
    """The ways of a cursor that no pipeline carries; of a named one too: its name means nothing to them."""

    @contextmanager
    def copy(self, statement: Any, *args: Any, **kwargs: Any) -> Iterator[psycopg.Copy]:
        # COPY cannot travel in a pipeline: the opening goes ahead, at the price of a round trip.
        _check_alone(self.connection, statement)
        with opening_pipeline(self.connection):
            pass
        with super().copy(statement, *args, **kwargs) as copy:
            yield copy

    def stream(self, query: Any, *args: Any, **kwargs: Any) -> Iterator[TupleRow]:
        # Nor can rows that are fetched one by one.
        _check_alone(self.connection, query)
        with opening_pipeline(self.connection):
            pass
        yield from super().stream(query, *args, **kwargs)


class TenantCursor(_SendingAlone):
    """Sends the connection's opening in the same pipeline as its own first statement."""

    def _with_opening(self) -> AbstractContextManager[Any]:
        return opening_pipeline(self.connection)

    def _execute_gen(self, query: Any, params: Params | None = None, **options: Any) -> PQGen[None]:
        return execute_with_opening(self, super()._execute_gen, query, params, options)

    def execute(self, query: Any, params: Params | None = None, **options: Any) -> Self:
        connection: Any = self.connection
        if connection.fence is None:
            connection.require_owner()
            return super().execute(query, params, **options)
        with self._one_statement(query):
            return super().execute(query, params, **options)

    def executemany(self, query: Any, params_seq: Any, **options: Any) -> None:
        with self._one_statement(query), self._with_opening():
            super().executemany(query, params_seq, **options)

    @contextmanager
    def _one_statement(self, query: Any) -> Iterator[None]:
        """While a fence stands, let no text end the transaction that the fence is to see the end of."""
        connection: Any = self.connection
        connection.require_owner()
        if connection.fence is None:
            yield
            return
        _admit(connection, query)
        if not may_hold_several(query):
            yield
            return
        # In a pipeline the server takes one statement a text, so no `commit` can follow behind a semicolon.
        with connection.pipeline():
            yield


class TenantServerCursor(_SendingAlone, psycopg.ServerCursor[TupleRow]):
    """A named cursor: DECLARE needs the transaction to exist, so the opening goes ahead."""

    def execute(self, query: Any, params: Params | None = None, **options: Any) -> Self:
        connection: Any = self.connection
        connection.require_owner()
        with opening_pipeline(connection):
            pass
        return super().execute(query, params, **options)


class _AsyncSendingAlone(psycopg.AsyncCursor[TupleRow]):
    """`_SendingAlone` for asyncio."""

    @asynccontextmanager
    async def copy(self, statement: Any, *args: Any, **kwargs: Any) -> AsyncIterator[psycopg.AsyncCopy]:
        connection: Any = self.connection
        _check_alone(connection, statement)
        async with connection.turn, async_opening_pipeline(connection):
            pass
        async with super().copy(statement, *args, **kwargs) as copy:
            yield copy

    async def stream(self, query: Any, *args: Any, **kwargs: Any) -> AsyncIterator[TupleRow]:
        connection: Any = self.connection
        _check_alone(connection, query)
        async with connection.turn, async_opening_pipeline(connection):
            pass
        async for row in super().stream(query, *args, **kwargs):
            yield row


class AsyncTenantCursor(_AsyncSendingAlone):
    """`TenantCursor` for asyncio."""

    def _with_opening(self) -> AbstractAsyncContextManager[Any]:
        return async_opening_pipeline(self.connection)

    def _execute_gen(self, query: Any, params: Params | None = None, **options: Any) -> PQGen[None]:
        return execute_with_opening(self, super()._execute_gen, query, params, options)

    async def execute(self, query: Any, params: Params | None = None, **options: Any) -> Self:
        async with self._one_statement(query):
            return await super().execute(query, params, **options)

    async def executemany(self, query: Any, params_seq: Any, **options: Any) -> None:
        async with self._one_statement(query), self._with_opening():
            await super().executemany(query, params_seq, **options)

    @asynccontextmanager
    async def _one_statement(self, query: Any) -> AsyncIterator[None]:
        """As in `TenantCursor`; and one statement at a time, its opening with it."""
        connection: Any = self.connection
        connection.require_owner()
        async with connection.turn:
            if connection.fence is None:
                yield
                return
            _admit(connection, query)
            if not may_hold_several(query):
                yield
                return
            async with connection.pipeline():
                yield


class AsyncTenantServerCursor(_AsyncSendingAlone, psycopg.AsyncServerCursor[TupleRow]):
    """`TenantServerCursor` for asyncio."""

    async def execute(self, query: Any, params: Params | None = None, **options: Any) -> Self:
        connection: Any = self.connection
        connection.require_owner()
        async with connection.turn, async_opening_pipeline(connection):
            pass
        return await super().execute(query, params, **options)
