"""Who leads, and when to look: an advisory lock and NOTIFY on one connection of the dispatcher's own."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from db.errors import PartywallError
from db.roles import Role
from db.settings import DatabaseSettings

DISPATCHER_LOCK = 0x70_61_72_74_64
"""The advisory lock of the leading dispatcher: "partd" in ASCII."""


class SessionLostError(PartywallError):
    """The listening session is gone, and leadership with it."""


class Wakeups:
    """A session that may lead and that hears of new jobs. It must reach PostgreSQL directly, not through a pooler."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        self._leads = False

    def lead(self) -> bool:
        """Return whether this session is the leader, trying to become it. Leadership ends with the session."""
        if not self._leads:
            row = self._connection.execute("select pg_try_advisory_lock(%s)", (DISPATCHER_LOCK,)).fetchone()
            self._leads = row is not None and bool(row[0])
        return self._leads

    def wait(self, timeout_seconds: float) -> bool:
        """Return True as soon as a job was accepted somewhere, False after the time.

        Raises:
            SessionLostError: PostgreSQL closed the session.
        """
        # To the end: what is left unread is kept, and every later wait would return at once.
        return len(list(self._connection.notifies(timeout=timeout_seconds, stop_after=1))) > 0


@contextmanager
def open_wakeups() -> Iterator[Wakeups]:
    """Open a session that listens for new jobs.

    Raises:
        SessionLostError: it could not be opened, or ended while the block ran.
    """
    try:
        with _connect() as connection:
            connection.execute("listen partywall_jobs")
            yield Wakeups(connection)
    except psycopg.OperationalError as error:
        raise SessionLostError(reason=str(error).strip()) from error


def _connect() -> psycopg.Connection:
    settings = DatabaseSettings.load()
    return psycopg.connect(
        settings.url(Role.DISPATCHER),
        autocommit=True,
        prepare_threshold=None,
        connect_timeout=settings.connect_timeout_seconds,
        application_name="partywall-dispatcher-wakeups",
    )
