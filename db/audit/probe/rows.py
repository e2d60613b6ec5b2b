"""Making up rows that a table takes, for two tenants, so that there is something to be leaked."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from db.audit.probe.search import Search, Values
from db.audit.probe.shape import TENANT_COLUMN, Column, Table
from db.audit.probe.stage import Answer, Stage
from db.audit.probe.standins import StandIn
from db.audit.probe.statements import any_row, insert

ATTEMPTS = 500
"""How many rows are tried before a table counts as one that cannot be filled."""


class UnfillableError(Exception):
    """No row could be made up. Its text says why."""


@dataclass(frozen=True, slots=True)
class Filled:
    """A row that a table took."""

    given: Values
    """What was inserted."""
    row: Values
    """What it became, as far as it could be read; without nulls."""


@dataclass(slots=True)
class Rows:
    """The rows made up in one transaction, one for each table and tenant."""

    stage: Stage
    tables: dict[int, Table]
    _known: dict[tuple[int, str], Filled] = field(default_factory=dict)

    def of(self, table: Table, tenant: StandIn, *, above: Sequence[Table] = ()) -> Filled:
        """Return the tenant's row in the table, made up if it is not there yet; what it refers to first.

        Raises:
            UnfillableError: the table takes no row that we can think of.
        """
        key = (table.oid, tenant.name)
        if key not in self._known:
            self._known[key] = self.another(table, tenant, above=above)
        return self._known[key]

    def another(self, table: Table, tenant: StandIn, *, above: Sequence[Table] = ()) -> Filled:
        """Return one more row of the tenant, which refers to the same rows of other tables as its first."""
        given = self._referred(table, tenant, (*above, table))
        if table.has_tenant:
            given[TENANT_COLUMN] = str(tenant.tenant_id)
        with self.stage.as_filler():
            self.stage.enter(tenant)
            return self._found(table, given)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Undo what the block does, and forget the rows that it made up."""
        known = dict(self._known)
        try:
            with self.stage.aside():
                yield
        finally:
            self._known = known

    def _referred(self, table: Table, tenant: StandIn, above: Sequence[Table]) -> Values:
        values: Values = {}
        for reference in table.references:
            target = self.tables[reference.target]
            try:
                if target in above:
                    raise UnfillableError(f"{target.name} and {table.name} refer to each other")
                row = (self._any(target) or self.of(target, tenant, above=above).row) if reference.own else {}
            except UnfillableError as error:
                if any(table.columns[mine].must_be_given for mine, _ in reference.own):
                    raise UnfillableError(f"its foreign key {reference.name}: {error}") from error
                continue  # and without this reference, which may be null
            values |= {mine: row[theirs] for mine, theirs in reference.own if theirs in row}
        return values

    def _any(self, table: Table) -> Values | None:
        """Return some row of a table without tenants."""
        if table.has_tenant:
            return None
        with self.stage.as_filler():
            answer = self.stage.rehearse(*any_row(table))
        return _read(table, answer)

    def _found(self, table: Table, given: Values) -> Filled:
        search = Search(table, given, self._fits)
        said = Answer()
        for _ in range(ATTEMPTS):
            values = search.values
            said = self.stage.keep(*insert(table, values, returning=True))
            if said.sqlstate == "42501":
                # Who may insert need not be allowed to read.
                said = self.stage.keep(*insert(table, values))
            if said.was_done:
                return Filled(values, _read(table, said) or values)
            if not search.learn(said):
                break
        raise UnfillableError(said.words)

    def _fits(self, column: Column, value: str) -> bool:
        return self.stage.rehearse(f"select cast(%s as {column.type})", value).was_done


def _read(table: Table, answer: Answer) -> Values | None:
    if not answer.was_done or not answer.rows:
        return None
    return {name: value for name, value in zip(table.columns, answer.rows[0], strict=True) if value is not None}
