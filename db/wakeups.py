"""Who leads, and when to look: an advisory lock and NOTIFY on one connection of the dispatcher's own."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg

from db.errors import PartywallError
from db.roles import Role
from db.settings import DatabaseSettings

DISPATCHER_LOCK = 0x70_61_72_74_64
"""The advisory lock of the leading dispatcher: "partd" in ASCII."""


_MAY_SEE_HOLDERS = """
    select has_table_privilege('pg_stat_activity', 'select')
       and has_function_privilege('pg_stat_get_activity(integer)', 'execute')
"""
_USURPER = """
    select sessions.usename::text
    from pg_locks as locks
    inner join pg_stat_activity as sessions on locks.pid = sessions.pid
    where locks.locktype = 'advisory'
      and locks.granted
      and locks.objsubid = 1
      and (locks.classid::bigint << 32) | locks.objid::bigint = %s
      and locks.database = (select oid from pg_database where datname = current_database())
      and sessions.usename <> current_user
"""

log = logging.getLogger(__name__)


class SessionLostError(PartywallError):
    """The listening session is gone, and leadership with it."""


class Wakeups:
    """A session that may lead and that hears of new jobs. It must reach PostgreSQL directly, not through a pooler."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        self._leads = False
        self._usurper: str | None = None

    def lead(self) -> bool:
        """Return whether this session is the leader, trying to become it. Leadership ends with the session."""
        if not self._leads:
            self._leads = bool(self._value("select pg_try_advisory_lock(%s)", DISPATCHER_LOCK))
            self._tell_of_usurper()
        return self._leads

    def _tell_of_usurper(self) -> None:
        """Warn, once each, when somebody keeps dispatchers from leading who is none.

        Where a superuser bootstrapped nobody else can, and nobody may look. Elsewhere the key is open to every body's
        SQL, until its time limit. A row that only dispatchers may lock would not be, but its leader's transaction would
        stay open, and keep vacuum from all that is deleted meanwhile.
        """
        usurper = None if self._leads or not self._value(_MAY_SEE_HOLDERS) else self._value(_USURPER, DISPATCHER_LOCK)
        if usurper is not None and usurper != self._usurper:
            log.warning(
                "nothing is dispatched: a session of %s holds the lock that dispatchers lead by;"
                " let a superuser run `partywall bootstrap`, which takes such locks from it",
                usurper,
            )
        self._usurper = usurper

    def _value(self, query: LiteralString, *bound: object) -> Any:
        row = self._connection.execute(query, bound or None).fetchone()
        return None if row is None else row[0]

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
