"""How a context reaches the server: with BEGIN and the first statement, in one network round trip.

The connections here are in autocommit as far as psycopg knows, so psycopg sends no BEGIN of its own. When SQLAlchemy
begins a transaction, `engine.py` leaves an `Opening` on the connection; the first statement takes it along in a
pipeline. A transaction with one statement then costs two round trips (opening + statement, COMMIT), where a bare
connection needs three. Measured by tests/db/test_round_trips.py.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import cached_property
from typing import Any, TypeVar

import psycopg
from psycopg import waiting
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow

from db.cursors import AsyncTenantCursor, AsyncTenantServerCursor, TenantCursor, TenantServerCursor
from db.keepalive import with_keepalive
from db.liveness import is_settled
from db.opening import Tenanted

CANCEL_TIMEOUT_SECONDS = 2.0

log = logging.getLogger(__name__)

Result = TypeVar("Result")


class TenantConnection(Tenanted, psycopg.Connection[TupleRow]):
    """A psycopg connection that sends openings and fences."""

    def commit(self) -> None:
        """Commit, if the fence lets it. One round trip, with or without a fence."""
        self.require_owner()
        around = self.take_commit()
        if around is None:
            super().commit()
            return
        try:
            with self.lock:
                self.wait(self.commit_within(*around))
        except BaseException:
            # SQLAlchemy takes a COMMIT that failed for the end of the transaction. A fence that fails ends nothing.
            self.rollback()
            raise

    def rollback(self) -> None:
        """Roll back. A transaction that never spoke is forgotten without a round trip."""
        self.forget()
        if not is_settled(self):
            # No statement can follow here. PostgreSQL rolls back what is cut off.
            self.close()
        elif self.has_begun():
            super().rollback()

    @contextmanager
    def transaction(self, *args: Any, **kwargs: Any) -> Iterator[psycopg.Transaction]:
        """Begin a transaction that psycopg commits by itself; not in a body, whose commits are fenced."""
        self.refuse_transaction_block()
        with super().transaction(*args, **kwargs) as transaction:
            yield transaction

    def wait(self, gen: PQGen[Result], *args: Any, **kwargs: Any) -> Result:
        """Drive the protocol; when interrupted by an exception, cancel the query and drain its answer.

        psycopg does so for Ctrl-C only. A time limit is an exception too, raised by a signal handler, and would leave
        the connection in the middle of an answer: neither usable nor returnable.
        """
        self.done_behind = ()
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
            # Without an interval psycopg asks the socket without a pause.
            waiting.wait(gen, self.pgconn.socket, interval=0.1, timeout=CANCEL_TIMEOUT_SECONDS)
        except psycopg.errors.QueryCanceled:
            return
        except psycopg.Error as error:
            log.warning("could not drain a cancelled query: %s", type(error).__name__)
        if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
            # The interruption broke the exchange off. A closed connection is safe, a half-read one is not.
            self.pgconn.finish()


class AsyncTenantConnection(Tenanted, psycopg.AsyncConnection[TupleRow]):
    """The same for asyncio. A cancelled query psycopg cancels and drains by itself."""

    @cached_property
    def turn(self) -> asyncio.Lock:
        """Whose turn it is: a body's asyncio tasks may share the connection. An opening stays with its statement."""
        return asyncio.Lock()

    async def commit(self) -> None:
        """Commit, if the fence lets it. One round trip, with or without a fence."""
        self.require_owner()
        async with self.turn:
            around = self.take_commit()
            if around is None:
                await super().commit()
                return
            try:
                async with self.lock:
                    await self.wait(self.commit_within(*around))
            except BaseException:
                await self._roll_back()
                raise

    async def rollback(self) -> None:
        """Roll back. A transaction that never spoke is forgotten without a round trip."""
        async with self.turn:
            await self._roll_back()

    async def wait(self, gen: PQGen[Result], *args: Any, **kwargs: Any) -> Result:
        """Drive the protocol."""
        self.done_behind = ()
        return await super().wait(gen, *args, **kwargs)

    @asynccontextmanager
    async def transaction(self, *args: Any, **kwargs: Any) -> AsyncIterator[psycopg.AsyncTransaction]:
        """Begin a transaction that psycopg commits by itself; not in a body, whose commits are fenced."""
        self.refuse_transaction_block()
        async with super().transaction(*args, **kwargs) as transaction:
            yield transaction

    async def _roll_back(self) -> None:
        self.forget()
        if not is_settled(self):
            # No statement can follow here. PostgreSQL rolls back what is cut off.
            await self.close()
        elif self.has_begun():
            await super().rollback()


def connect(url: str, *, timeout_seconds: int, application_name: str) -> TenantConnection:
    """Return a connection for a synchronous engine. Statements stay unnamed, so none can be booby-trapped."""
    connection = TenantConnection.connect(
        with_keepalive(url),
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
        with_keepalive(url),
        autocommit=True,
        prepare_threshold=None,
        cursor_factory=AsyncTenantCursor,
        connect_timeout=timeout_seconds,
        application_name=application_name,
    )
    connection.server_cursor_factory = AsyncTenantServerCursor
    return connection
