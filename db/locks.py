"""Locks by name, each tenant's its own."""

from sqlalchemy import text

from db.session import Executor

_LOCK = text("select partywall.lock(:key)")


def hold_lock(executor: Executor, key: str) -> None:
    """Return when no other transaction of the tenant holds the lock of this name; this one does until it ends.

    Raises:
        TooManyLocksError: the transaction holds 16 others.
    """
    executor.execute(_LOCK, {"key": key})
