"""What goes ahead of a transaction's first statement and around its COMMIT, and how it travels: in their pipeline."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any, cast

import psycopg
from psycopg.abc import Params, PQGen, QueryNoTemplate
from psycopg.pq import TransactionStatus
from psycopg.pq.abc import PGconn

from db.errors import ForeignConnectionError
from db.owner import Owner
from db.round_trip import COMMIT, Statement, queue, round_trip
from db.transaction_control import TransactionControlError

Opening = tuple[Statement, ...]
"""What has to reach the server before a transaction's first statement, in order."""


class Tenanted:
    """What both kinds of connection remember between BEGIN and COMMIT."""

    pgconn: PGconn
    opening: Opening = ()
    """Sent ahead of the next statement, then forgotten."""
    fence: Statement | None = None
    """Sent ahead of this transaction's COMMIT, in its round trip. When it raises, nothing is committed."""
    closing: Statement | None = None
    """Sent like a fence where there is none, but unlike one it guards nothing: the transaction may end without it."""
    behind: tuple[Statement, ...] = ()
    """Sent behind this transaction's COMMIT, in its round trip: what cleans the session."""
    done_behind: tuple[Statement, ...] = ()
    """What was done behind a COMMIT, while nothing was said to the server since."""
    changed_settings: bool = False
    """A statement may have changed how what follows is understood and planned, also what PostgreSQL keeps of it."""
    owner: Owner | None = None
    """The body that alone may speak in this transaction. None while it is nobody's."""

    def take_commit(self) -> tuple[Opening, tuple[Statement, ...]] | None:
        """What goes ahead of this COMMIT and what behind; None where it goes alone, or there is nothing to commit."""
        opening, last, behind = self.take_opening(), self.take_last(), self.take_behind()
        if last is not None:
            # A body that touched no table has not begun yet: its outcome brings BEGIN and context along.
            return (*opening, last), behind
        return ((), behind) if behind and self.is_open() else None

    def commit_within(self, ahead: Opening, behind: tuple[Statement, ...]) -> PQGen[None]:
        """COMMIT with what goes around it, in one round trip."""
        answer = yield from round_trip(self.pgconn, ahead, partial(queue, self.pgconn, COMMIT), behind)
        if answer.is_done_behind:
            self.done_behind = behind

    def take_opening(self) -> Opening:
        opening, self.opening = self.opening, ()
        return opening

    def take_last(self) -> Statement | None:
        """What goes ahead of this COMMIT: the fence, or the closing of a transaction that has begun and not failed."""
        fence, self.fence = self.fence, None
        closing, self.closing = self.closing, None
        return fence or (closing if self.is_open() else None)

    def has_begun(self) -> bool:
        """Return whether there is a transaction that could be rolled back."""
        return self.pgconn.transaction_status != TransactionStatus.IDLE

    def is_open(self) -> bool:
        """Return whether a transaction has begun and not failed."""
        return self.pgconn.transaction_status == TransactionStatus.INTRANS

    def take_behind(self) -> tuple[Statement, ...]:
        behind, self.behind = self.behind, ()
        return behind

    def forget(self) -> None:
        """Drop what was meant for a transaction that will not go on."""
        self.opening, self.fence, self.closing, self.owner, self.behind = (), None, None, None, ()

    def require_owner(self) -> None:
        """Return where the body runs whose transaction this is.

        Raises:
            ForeignConnectionError: anywhere else. Nothing was sent.
        """
        if self.owner is not None and not self.owner.is_here():
            raise ForeignConnectionError(hint="Let the thread compute and return; read and write in the body.")

    def refuse_transaction_block(self) -> None:
        """Return where nothing is to be asked before a COMMIT.

        Raises:
            ForeignConnectionError, TransactionControlError: a body's transaction: psycopg would commit it unasked.
        """
        self.require_owner()
        if self.owner is not None or self.fence is not None:
            raise TransactionControlError(
                "The driver's transaction() commits past the lease of the attempt",
                hint="Use begin_nested() on the connection or session: a savepoint.",
            )


def spoken(statement: Statement) -> tuple[QueryNoTemplate, Params]:
    """Return a statement as psycopg takes it."""
    # psycopg wants literal strings; these come from engine.py and session.py only, never from input.
    return cast("QueryNoTemplate", statement[0]), statement[1]


@contextmanager
def opening_pipeline(connection: Any) -> Iterator[None]:
    """Send the opening that a connection carries, if any, in one pipeline with what the block sends."""
    opening = connection.take_opening()
    if not opening:
        yield
        return
    with connection.pipeline():
        for statement in opening:
            psycopg.RawCursor(connection).execute(*spoken(statement))
        yield


@asynccontextmanager
async def async_opening_pipeline(connection: Any) -> AsyncIterator[None]:
    """`opening_pipeline()` for asyncio."""
    opening = connection.take_opening()
    if not opening:
        yield
        return
    async with connection.pipeline():
        for statement in opening:
            await psycopg.AsyncRawCursor(connection).execute(*spoken(statement))
        yield
