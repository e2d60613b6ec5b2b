"""How hostile SQL reaches the worker's connection. All go through the engine that a worker uses, in A's context."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from db import attempts
from db.engine import disown
from db.roles import Role
from db.session import become, platform_connection
from tests.isolation.attacks.attack import in_one_block
from tests.isolation.attacks.evidence import Evidence
from tests.isolation.attacks.field import Field
from tests.isolation.attacks.next_tenant import what_b_finds

Text = Sequence[str]


@dataclass
class Hands:
    """The connection of a worker, in the hands of hostile code that survives its own errors."""

    connection: Connection
    evidence: Evidence
    first: Text = ()
    """Sent before the attack, and again whenever an error has ended the transaction."""

    def run(self, statements: Text) -> None:
        """Send the statements one by one; go on after errors."""
        ready = False
        for statement in statements:
            ready = ready or all(self._send(each) for each in self.first)
            if not self._send(statement):
                self._recover()
                ready = False

    def _recover(self) -> None:
        try:
            self.connection.rollback()
        except Exception as error:  # noqa: BLE001 - the attack may have ended its own session
            self.evidence.saw_error(error)
            self.connection.invalidate()
            self.connection.rollback()

    def _send(self, statement: str) -> bool:
        try:
            if statement.lower().startswith("copy "):
                self._copy(statement)
            else:
                self._execute(statement)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is evidence
            self.evidence.saw_error(error)
            return False
        return True

    def _execute(self, statement: str) -> None:
        result = self.connection.exec_driver_sql(statement)
        if result.returns_rows:
            self.evidence.saw_rows([tuple(row) for row in result])
        else:
            self.evidence.saw_count(result.rowcount)

    def _copy(self, statement: str) -> None:
        statement, _, data = statement.partition("\n")
        driver: Any = self.connection.connection.driver_connection
        self.connection.exec_driver_sql("select 1")
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            if data:
                copy.write(data + "\n")
            else:
                self.evidence.saw_rows([tuple(bytes(block).decode() for block in copy)])


Door = Callable[[Field, Evidence, Text], None]


@contextmanager
def _hands(field: Field, evidence: Evidence, *, fenced: bool) -> Iterator[Hands]:
    with ExitStack() as stack:
        connection = stack.enter_context(platform_connection(Role.WORKER))
        become(connection, field.attempt.context)
        if fenced:
            attempts.fence(connection)
        connection = connection.execution_options(no_parameters=True, preserve_rowcount=True)
        driver: Any = connection.connection.driver_connection
        driver.add_notice_handler(evidence.saw_notice)
        driver.add_notify_handler(evidence.saw_notification)
        yield Hands(connection, evidence)
        evidence.b_could_work = evidence.b_could_work and field.victim.can_work()
        stack.enter_context(_listening_no_longer(driver, evidence))
        _end(connection, evidence)
        if field.neighbour is not None:
            with field.neighbour.connect() as other:
                evidence.found_by_neighbour += what_b_finds(other, field)
                disown(other)


@contextmanager
def _listening_no_longer(driver: Any, evidence: Evidence) -> Iterator[None]:
    yield
    if not driver.closed:
        driver.remove_notice_handler(evidence.saw_notice)
        driver.remove_notify_handler(evidence.saw_notification)


def _end(connection: Connection, evidence: Evidence) -> None:
    try:
        connection.commit()
    except Exception as error:  # noqa: BLE001 - evidence too
        evidence.saw_error(error)
        connection.rollback()


def as_a_body(field: Field, evidence: Evidence, statements: Text) -> None:
    """In a job's body, behind everything that stands there: the fence and what it refuses before it is sent."""
    with _hands(field, evidence, fenced=True) as hands:
        hands.run(statements)


def plain(field: Field, evidence: Evidence, statements: Text) -> None:
    """On the tenant's connection without the fence, so that every text reaches PostgreSQL."""
    with _hands(field, evidence, fenced=False) as hands:
        hands.run(statements)


def after_commit(field: Field, evidence: Evidence, statements: Text) -> None:
    """After hostile SQL has ended the transaction that had the context: in one of its own; after ROLLBACK, in none."""
    with _hands(field, evidence, fenced=False) as hands:
        hands.first = ("select 1", "commit", "begin")
        hands.run(statements)
        hands.first = ("rollback", "select 1", "rollback")
        hands.run(statements)


def in_a_do_block(field: Field, evidence: Evidence, statements: Text) -> None:
    """All of it as one plpgsql block, which catches its own errors."""
    with _hands(field, evidence, fenced=False) as hands:
        hands.run([in_one_block(statements)])


def plain_and_after_commit(field: Field, evidence: Evidence, statements: Text) -> None:
    """One after the other: what goes through the pooler, where a COMMIT gives the session away."""
    plain(field, evidence, statements)
    after_commit(field, evidence, statements)


DIRECT: Mapping[str, Door] = {door.__name__: door for door in (as_a_body, plain, after_commit, in_a_do_block)}
