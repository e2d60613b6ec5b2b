"""One table, two tenants with a row each in it, and what an attack on it has shown."""

from collections.abc import Iterator
from dataclasses import dataclass

from db.audit.checks import Check
from db.audit.probe.rows import Filled, Rows
from db.audit.probe.search import Values
from db.audit.probe.shape import TENANT_COLUMN, Table
from db.audit.probe.stage import Answer, Stage
from db.audit.probe.standins import StandIn


@dataclass(frozen=True, slots=True)
class Leak:
    """An attack that was not refused."""

    check: Check
    words: str
    """What was done, and what came of it."""
    part: str | None = None


class InconclusiveError(Exception):
    """The answer to an attack was neither yes nor no. Its text says what it was."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What an attack has to work with. `a` plays; `b` is who must not be noticed."""

    stage: Stage
    rows: Rows
    table: Table
    a: StandIn
    b: StandIn

    def filled(self, tenant: StandIn) -> Filled:
        """Return the tenant's row."""
        return self.rows.of(self.table, tenant)

    def fresh(self, tenant: StandIn) -> Values:
        """Return values that would make another row of the tenant. No such row is left behind."""
        with self.rows.aside():
            return self.rows.another(self.table, tenant).given

    def linked(self, tenant: StandIn) -> Values:
        """Return what makes a row the tenant's: its id, and whatever its row refers to."""
        own = self.filled(tenant).row
        keys = {mine for reference in self.table.references for mine, _ in reference.own}
        return {TENANT_COLUMN: str(tenant.tenant_id)} | {name: own[name] for name in own if name in keys}


def rows_read(answer: Answer) -> int:
    """Return what a count came to, 0 where it was refused.

    Raises:
        InconclusiveError: something else than the wall was in the way.
    """
    if not answer.was_done:
        refuse_doubt(answer)
        return 0
    return int(answer.rows[0][0])


def rows_written(answer: Answer) -> int:
    """Return how many rows a statement wrote, 0 where it was refused.

    Raises:
        InconclusiveError: something else than the wall was in the way.
    """
    refuse_doubt(answer)
    return answer.count if answer.was_done else 0


def refuse_doubt(answer: Answer) -> None:
    """Return when the answer is one.

    Raises:
        InconclusiveError: a timeout, a lock, a deadlock.
    """
    if answer.sqlstate in ("57014", "55P03", "40P01", "40001"):
        raise InconclusiveError(answer.words)


Attack = Iterator[Leak]
"""What the attacks on one table show, one leak after the other."""
