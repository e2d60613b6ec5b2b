"""Where the attacks are played: one transaction, in which the login under test acts, and which is rolled back."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from db.audit.probe.login import Player
from db.audit.probe.standins import Pair, StandIn, create


@dataclass(frozen=True, slots=True)
class Answer:
    """What PostgreSQL said to one statement."""

    rows: Sequence[tuple[Any, ...]] = ()
    count: int = 0
    """How many rows it read or wrote."""
    sqlstate: str | None = None
    """None where it was done."""
    words: str = ""
    constraint: str | None = None
    column: str | None = None
    datatype: str | None = None

    @property
    def was_done(self) -> bool:
        """False when PostgreSQL raised."""
        return self.sqlstate is None


@dataclass(slots=True)
class Stage:
    """A transaction. Everything in it is done by the player, except what `as_filler()` encloses."""

    connection: Connection
    player: Player
    lent: Pair | None
    """Two tenants of the operator's; None where a superuser is connected, who makes them in each transaction."""
    attacks: int = field(default=0, init=False)
    """How many were played."""

    def begin(self, pair: Pair | None = None) -> Pair:
        """Begin as the player, without a tenant; return the two there are. Only with a `pair` may it be committed."""
        self._say("set local statement_timeout = '30s'")
        self._say("set local lock_timeout = '2s'")
        self._say("set local search_path = pg_catalog")
        made = pair or self.lent or create(self.connection)
        self._become_player()
        return made

    def end(self) -> None:
        """Roll everything back."""
        self.connection.rollback()

    def enter(self, tenant: StandIn | None) -> None:
        """Be the tenant from now on, or nobody, as a session is after a transaction that was somebody."""
        if tenant is None:
            self._say("select pg_catalog.set_config('partywall.token', '', true)")
        else:
            self._say("select partywall.enter(%s)", tenant.token)

    @contextmanager
    def as_filler(self) -> Iterator[None]:
        """Act as whoever may insert: the superuser where one is connected, else the login itself."""
        if self.player.is_superusers:
            self._say("reset session authorization")
        try:
            yield
        finally:
            self._become_player()

    def attack(self, statement: str, *values: Any) -> Answer:
        """Return the answer to one statement, which is undone."""
        self.attacks += 1
        return self.rehearse(statement, *values)

    def rehearse(self, statement: str, *values: Any) -> Answer:
        """The same, not counted: what only shows that the attack could have worked."""
        with self.aside():
            return self._answer(statement, values)

    def keep(self, statement: str, *values: Any) -> Answer:
        """Return the answer to one statement, which stays until the end of the transaction if it was done."""
        savepoint = self.connection.begin_nested()
        answer = self._answer(statement, values)
        if answer.was_done:
            savepoint.commit()
        else:
            savepoint.rollback()
        return answer

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Undo what the block does, its changes of tenant too."""
        savepoint = self.connection.begin_nested()
        try:
            yield
        finally:
            savepoint.rollback()

    def copy_out(self, statement: str) -> Answer:
        """Return the lines of a COPY TO, one row each. It counts as an attack."""
        self.attacks += 1
        with self.aside():
            try:
                with self._cursor() as cursor, cursor.copy(statement) as copy:
                    return Answer(rows=[(bytes(line).decode(errors="replace"),) for line in copy])
            except psycopg.Error as error:
                return _refusal(error)

    def copy_in(self, statement: str, line: str) -> Answer:
        """Return the answer to a COPY FROM with one line, which is undone. It counts as an attack."""
        self.attacks += 1
        with self.aside():
            try:
                with self._cursor() as cursor, cursor.copy(statement) as copy:
                    copy.write(line)
            except psycopg.Error as error:
                return _refusal(error)
            return Answer(count=1)

    def _cursor(self) -> Any:
        driver: Any = self.connection.connection.driver_connection
        return driver.cursor()

    def _become_player(self) -> None:
        if self.player.is_superusers:
            # Unlike SET ROLE it also changes who the session says it is. Only a superuser gets back.
            self._say(f"set local session authorization {self.player.quoted}")

    def _say(self, statement: str, *values: Any) -> None:
        self.connection.exec_driver_sql(statement, values)

    def _answer(self, statement: str, values: tuple[Any, ...]) -> Answer:
        try:
            result = self.connection.exec_driver_sql(statement, values)
            rows = [tuple(row) for row in result] if result.returns_rows else []
        except DBAPIError as error:
            if not isinstance(error.orig, psycopg.Error):
                raise
            return _refusal(error.orig)
        return Answer(rows=rows, count=result.rowcount)


def _refusal(error: psycopg.Error) -> Answer:
    said = error.diag
    if error.sqlstate is None:
        # Not an answer: the connection is gone.
        raise error
    return Answer(
        sqlstate=error.sqlstate,
        words=said.message_primary or "",
        constraint=said.constraint_name,
        column=said.column_name,
        datatype=said.datatype_name,
    )
