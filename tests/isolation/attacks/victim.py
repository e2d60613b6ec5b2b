"""A session of tenant B in the middle of its work: what the other sessions of its role must not see, stop or block."""

from collections.abc import Mapping
from typing import Any

import psycopg

from db.context import TenantContext
from db.roles import Role
from tests.databases import Database
from tests.isolation.attacks.planting import canary

_HELD = """
    select (classid::bigint << 32) | objid::bigint from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()
"""


class Victim:
    """B's own session: it holds a lock and just ran a query that nobody else may read."""

    def __init__(self, database: Database, context: TenantContext, facts: Mapping[str, str]) -> None:
        self._url = database.url(Role.WORKER)
        self._context = context
        self._note_id = facts["b_note"]
        self._process = (facts["b_process"], facts["b_process_secret"].encode())
        self.query_canary = canary("query")
        self._connection: psycopg.Connection[Any] | None = None

    @property
    def pid(self) -> int:
        return self._work.info.backend_pid

    @property
    def lock(self) -> int:
        """The number of the lock that it holds."""
        ((number,),) = self._work.execute(_HELD).fetchall()
        self._speak()
        return int(number)

    def open(self) -> None:
        """Begin the work, in a session of its own."""
        self.close()
        self._connection = psycopg.connect(self._url, autocommit=True, application_name="victim")
        ask = self._connection.execute
        ask("begin")
        ask("select partywall.enter(%s)", (self._context.token,))
        ask("set local lock_timeout = '300ms'")
        ask("select partywall.lock('the order that B works on')")
        ask("savepoint before")
        self._speak()

    def close(self) -> None:
        """End the session."""
        if self._connection is not None:
            self._connection.close()

    def is_well(self) -> bool:
        """Return whether the session is the same, with all its locks."""
        try:
            held = self._work.execute(_HELD).fetchall()
            self._speak()
        except psycopg.Error:
            return False
        return len(held) == 1

    def can_work(self) -> bool:
        """Return whether B can change and delete its own rows at this moment, without waiting for anybody.

        And whether the process that runs B's job can say that it is alive: its leases are over soon if it has to wait.
        """
        try:
            self._work.execute("select partywall.heartbeat(%s, '{}', interval '1 minute', %s)", self._process)
            self._work.execute("update app.notes set body = body where id = %s", (self._note_id,))
            self._work.execute("delete from app.comments where note_id = %s", (self._note_id,))
            self._work.execute("delete from app.notes where id = %s", (self._note_id,))
            self._work.execute("rollback to savepoint before")
            self._speak()
        except psycopg.Error:
            return False
        return True

    def _speak(self) -> None:
        # Its text stands in pg_stat_activity until the next one.
        self._work.execute(f"select '{self.query_canary}'")

    @property
    def _work(self) -> "psycopg.Connection[Any]":
        assert self._connection is not None
        return self._connection
