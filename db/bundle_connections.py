"""The connections of a bundle's jobs: one after the other over one pooled session, theirs until all have ended.

Between two jobs the session is rinsed: nothing that a body left is there for the next one, but PostgreSQL keeps what it
has planned, because planning again costs as much as all else that a short job asks of it. Not where a body has changed
a setting: a literal date in a function means what it meant when that was planned. No other tenant gets a plan of this
one's, because the pool discards them all.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine
from sqlalchemy.pool import _ConnectionFairy

from db.cleaning import rinse
from db.engine import connection_over, disown, engine_for
from db.roles import Role
from db.session import PLATFORM


class BundleConnections:
    """What a message's jobs speak through, each through a `Connection` of its own: one that a body has kept is closed.

    What is beneath it, SQLAlchemy's pooled connection and the driver's, is the same for all.
    """

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
        if pooled is not None:
            # One that was invalidated has left the pool's books already, and does nothing here.
            pooled.close()


@contextmanager
def bundle_connections(role: Role) -> Iterator[BundleConnections]:
    """Keep one pooled session for the connections of a message's jobs while the block runs."""
    connections = BundleConnections(engine_for(role).execution_options(**PLATFORM))
    try:
        yield connections
    finally:
        connections.close()
