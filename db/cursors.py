"""Cursors that bring the transaction's opening along with their first statement."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from typing import Any, Self

import psycopg
from psycopg.abc import Params
from psycopg.rows import TupleRow

from db.opening import async_opening_pipeline, opening_pipeline
from db.transaction_control import may_hold_several, refuse_transaction_control


class TenantCursor(psycopg.Cursor[TupleRow]):
    """Sends the connection's opening in the same pipeline as its own first statement."""

    def _with_opening(self) -> AbstractContextManager[Any]:
        return opening_pipeline(self.connection)

    def execute(self, query: Any, params: Params | None = None, **options: Any) -> Self:
        with self._one_statement(query), self._with_opening():
            return super().execute(query, params, **options)

    def executemany(self, query: Any, params_seq: Any, **options: Any) -> None:
        with self._one_statement(query), self._with_opening():
            super().executemany(query, params_seq, **options)

    @contextmanager
    def _one_statement(self, query: Any) -> Iterator[None]:
        """While a fence stands, let no text end the transaction that the fence is to see the end of."""
        connection: Any = self.connection
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
        with opening_pipeline(self.connection):
            pass
        return super().execute(query, params, **options)


class AsyncTenantCursor(psycopg.AsyncCursor[TupleRow]):
    """`TenantCursor` for asyncio."""

    def _with_opening(self) -> AbstractAsyncContextManager[Any]:
        return async_opening_pipeline(self.connection)

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
        async with async_opening_pipeline(self.connection):
            pass
        return await super().execute(query, params, **options)
