"""Whose a connection is while it is a tenant's: one body's, in its thread; on an event loop, in its asyncio tasks."""

from contextvars import ContextVar
from threading import get_ident

from sqlalchemy.util.concurrency import in_greenlet


class Owner:
    """The body that a connection was entered for."""

    __slots__ = ("_shares_thread", "_thread")

    def __init__(self) -> None:
        self._thread = get_ident()
        self._shares_thread = in_greenlet()

    @classmethod
    def enter(cls) -> "Owner":
        """Return a new owner: this thread; on an event loop, this asyncio task and those that it starts from now on."""
        owner = cls()
        if owner._shares_thread:
            _owner.set(owner)
        return owner

    def is_here(self) -> bool:
        """Return whether it is the owner who asks."""
        return self._thread == get_ident() and (not self._shares_thread or _owner.get() is self)


_owner: ContextVar[Owner | None] = ContextVar("partywall_owner", default=None)
