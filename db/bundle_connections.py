"""The connections of a bundle's jobs: one after the other over one pooled session, theirs until all have ended.

Between two jobs the session is rinsed: nothing that a body left is there for the next one, but PostgreSQL keeps what it
has planned. Planning again costs as much as all else that a short job asks of it. Plans were made under the settings of
a body of the same tenant; no other tenant gets them, because the pool discards them too.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine
from sqlalchemy.pool import _ConnectionFairy

from db.engine import connection_over, disown, engine_for, rinse
from db.roles import Role
from db.session import PLATFORM


class BundleConnections:
    """What a message's jobs speak through, each through a connection of its own: one that a body has kept is closed."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._pooled: _ConnectionFairy | None = None
        self._current: Connection | None = None

    def next(self) -> Connection:
        """Close the last one and return another: a platform connection, see `platform_connection()`.

        Raises:
            sqlalchemy.exc.DBAPIError: PostgreSQL cannot be reached.
        """
        self._close_current()
        if self._pooled is None or not rinse(self._pooled):
            self._let_go()
            self._current = self._engine.connect()
            self._pooled = self._current.connection._checkout_existing()
        else:
            self._current = connection_over(self._pooled._checkout_existing(), self._engine)
        return self._current

    def close(self) -> None:
        """Return the session to the pool."""
        try:
            self._close_current()
        finally:
            self._let_go()

    def _close_current(self) -> None:
        if self._current is not None:
            disown(self._current)
            self._current.close()
            self._current = None

    def _let_go(self) -> None:
        pooled, self._pooled = self._pooled, None
        # An invalidated one has left the pool's books already.
        if pooled is not None and (pooled.is_valid or pooled.is_detached):
            pooled.close()


@contextmanager
def bundle_connections(role: Role) -> Iterator[BundleConnections]:
    """Keep one pooled session for the connections of a message's jobs while the block runs."""
    connections = BundleConnections(engine_for(role).execution_options(**PLATFORM))
    try:
        yield connections
    finally:
        connections.close()
