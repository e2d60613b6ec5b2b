"""Who leads, and when to look: a lease and NOTIFY on one connection of the dispatcher's own."""

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg

from db.errors import PartywallError
from db.keepalive import with_keepalive
from db.roles import Role
from db.settings import DatabaseSettings

LEASE_SECONDS = 1.5
"""How long a leader that fell silent keeps the others from leading."""
RENEWAL_SECONDS = 0.5
"""How often a leader says that it still leads."""

_LEAD = "select extract(epoch from partywall.lead(%s, make_interval(secs => %s)))::float8"


class SessionLostError(PartywallError):
    """The listening session is gone, and leadership with it."""


class Wakeups:
    """A session that may lead and that hears of new jobs. It must reach PostgreSQL directly, not through a pooler."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        self._candidate = uuid.uuid4()
        self._leads = False
        self._ask_at = time.monotonic()

    def lead(self) -> bool:
        """Return whether this session is the leader, trying to become it. Call it again after each `wait()`.

        By a lease rather than a lock: a session keeps its lock also while its process stands still.
        """
        asked_at = time.monotonic()
        if asked_at >= self._ask_at:
            row = self._connection.execute(_LEAD, (self._candidate, LEASE_SECONDS)).fetchone()
            pause: float = row[0] if row is not None else LEASE_SECONDS
            self._leads = pause == 0
            self._ask_at = asked_at + (RENEWAL_SECONDS if self._leads else pause)
        return self._leads

    def resign(self) -> None:
        """Lead no more, so that another need not wait for the end of the lease."""
        if self._leads:
            self._leads = False
            self._connection.execute("select partywall.resign(%s)", (self._candidate,))

    def wait(self, timeout_seconds: float) -> list[str]:
        """Return what was notified as soon as a job was accepted; nothing after the time, or when `lead()` has to ask.

        Raises:
            SessionLostError: PostgreSQL closed the session.
        """
        timeout_seconds = max(0.0, min(timeout_seconds, self._ask_at - time.monotonic()))
        # To the end: what is left unread is kept, and every later wait would return at once.
        heard = self._connection.notifies(timeout=timeout_seconds, stop_after=1)
        return [notification.payload for notification in heard]


@contextmanager
def open_wakeups() -> Iterator[Wakeups]:
    """Open a session that listens for new jobs.

    Raises:
        SessionLostError: it could not be opened, or ended while the block ran.
    """
    try:
        with _connect() as connection:
            connection.execute("listen partywall_jobs")
            wakeups = Wakeups(connection)
            try:
                yield wakeups
            finally:
                # Where the session is gone, its lease ends by itself.
                with suppress(psycopg.OperationalError):
                    wakeups.resign()
    except psycopg.OperationalError as error:
        raise SessionLostError(reason=str(error).strip()) from error


def _connect() -> psycopg.Connection:
    settings = DatabaseSettings.load()
    return psycopg.connect(
        with_keepalive(settings.url(Role.DISPATCHER)),
        autocommit=True,
        prepare_threshold=None,
        connect_timeout=settings.connect_timeout_seconds,
        application_name="partywall-dispatcher-wakeups",
    )
