"""A row in every table for a tenant, made by type, so that there is something of it that another could see."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from db.seed_values import Value, is_recognisable, values_for
from db.tables import TENANT_COLUMN, Column, ForeignKey, Table, parents_first

MOST_ATTEMPTS = 200

MarkOf = Callable[[str, str, int], str]
"""Returns so many hex digits for a table's column: unguessable, and known again when they are seen."""


@dataclass(frozen=True, slots=True)
class Unseeded:
    """A table that got no row, and why."""

    table: str
    reason: str


def seed(connection: Connection, tables: Sequence[Table], *, tenant_id: UUID, mark: MarkOf) -> list[Unseeded]:
    """Add one row of the tenant to every table that has tenants' rows; return the tables that would not take any.

    In the connection's transaction, which has to be the tenant's where row-level security binds its login. The
    platform's own tables are left out.
    """
    unseeded = []
    made: dict[str, Mapping[str, str | None]] = {}
    for table in parents_first([each for each in tables if each.has_tenant and not each.is_platform]):
        reason = _Row(connection, table, tenant_id, mark, made).insert()
        if reason is not None:
            unseeded.append(Unseeded(table.name, reason))
    return unseeded


class _Row:
    """One row in the making. `made` are those that were made before it, by their tables."""

    def __init__(
        self,
        connection: Connection,
        table: Table,
        tenant_id: UUID,
        mark: MarkOf,
        made: dict[str, Mapping[str, str | None]],
    ) -> None:
        self._connection = connection
        self._table = table
        self._tenant_id = tenant_id
        self._made = made
        self._columns = {column.name: column for column in table.columns}
        self._values: dict[str, list[Value]] = {
            column.name: values_for(column, table.checks, lambda name, digits: mark(table.name, name, digits))
            for column in table.columns
            if not column.is_computed and column.name != TENANT_COLUMN
        }

    def insert(self) -> str | None:
        """Return None when the row is there, else why it is not."""
        fixed, missing = self._references()
        if missing is not None:
            return missing
        # First as full of marks as can be; then with nothing but what is required.
        reason = None
        for is_wanted in (is_recognisable, lambda _: False):
            reason = self._try(fixed, [each for each in self._values if self._is_filled(each, fixed, is_wanted)])
            if reason is None:
                return None
        return reason

    def _is_filled(self, name: str, fixed: Mapping[str, object], is_wanted: Callable[[Column], bool]) -> bool:
        column = self._columns[name]
        return name not in fixed and ((column.is_required and not column.has_default) or is_wanted(column))

    def _references(self) -> tuple[dict[str, str | None], str | None]:
        """Return the values of the foreign keys' columns, and what is missing where a required one has no row."""
        fixed: dict[str, str | None] = {TENANT_COLUMN: str(self._tenant_id)}
        for key in self._table.foreign_keys:
            own = [name for name in key.columns if name != TENANT_COLUMN]
            if not own:
                continue
            found = self._row_of(key)
            if found is None and any(self._columns[name].is_required for name in own):
                return fixed, f"it has to name a row of {key.table}, and there is none"
            values = dict.fromkeys(key.columns) if found is None else dict(zip(key.columns, found, strict=True))
            fixed |= {name: values[name] for name in own}
        return fixed, None

    def _row_of(self, key: ForeignKey) -> Sequence[str | None] | None:
        made = self._made.get(key.table)
        if made is not None:
            # Our own before any other: what is unique together with it is then new too.
            return [made[name] for name in key.referenced]
        targets = ", ".join(f"cast({_quoted(name)} as text)" for name in key.referenced)
        # The row has to be this tenant's wherever the key says whose it is.
        pairs = zip(key.columns, key.referenced, strict=True)
        whose = [_quoted(theirs) for own, theirs in pairs if own == TENANT_COLUMN]
        condition = f" where {whose[0]} = %s" if whose else ""
        row = self._connection.exec_driver_sql(
            f"select {targets} from {_escaped(key.table)}{condition} limit 1",  # noqa: S608 - names of the catalog
            (self._tenant_id,) if whose else (),
        ).one_or_none()
        return None if row is None else list(row)

    def _try(self, fixed: Mapping[str, str | None], filled: Sequence[str]) -> str | None:
        for name in filled:
            if not self._values[name]:
                return f"no value is known for {name} of type {self._columns[name].type}"
        turns = dict.fromkeys(filled, 0)
        reason = None
        for _ in range(MOST_ATTEMPTS):
            row = {**fixed, **{name: self._values[name][turn]() for name, turn in turns.items()}}
            refusal = self._insert(row)
            if refusal is None:
                return None
            reason = refusal.reason
            if not self._turn(turns, [each for each in refusal.columns if each in turns]):
                break
        return reason

    def _turn(self, turns: dict[str, int], columns: Sequence[str]) -> bool:
        """Go on to the next combination of values for these columns; False when there is none left."""
        for name in columns:
            turns[name] += 1
            if turns[name] < len(self._values[name]):
                return True
            turns[name] = 0
        return False

    def _insert(self, row: Mapping[str, str | None]) -> "_Refusal | None":
        names = ", ".join(_quoted(name) for name in row)
        values = ", ".join(f"cast(cast(%s as text) as {_escaped(self._columns[name].type)})" for name in row)
        told = ", ".join(f"cast({_quoted(name)} as text)" for name in self._columns)
        insert = f"insert into {_escaped(self._table.name)} ({names}) values ({values}) returning {told}"  # noqa: S608
        try:
            with self._connection.begin_nested():
                kept = self._connection.exec_driver_sql(insert, tuple(row.values())).one()
        except DBAPIError as error:
            return self._refusal(error.orig, row)
        self._made[self._table.name] = dict(zip(self._columns, kept, strict=True))
        return None

    def _refusal(self, error: Any, row: Mapping[str, object]) -> "_Refusal":
        diagnosis = error.diag
        reason = f"{error.sqlstate} {diagnosis.message_primary}"
        checked = next((each for each in self._table.checks if each.name == diagnosis.constraint_name), None)
        if checked is not None:
            return _Refusal(reason, list(checked.columns))
        if diagnosis.datatype_name:
            # A domain says no: which of its columns it was, nobody tells.
            of_domain = [name for name in row if self._columns[name].type.endswith(diagnosis.datatype_name)]
            return _Refusal(reason, of_domain)
        # A value that does not fit its column or is taken: nobody tells which. Another may do, where a trigger that
        # says no, for one, would say it again.
        return _Refusal(reason, list(row) if error.sqlstate.startswith(("22", "23505")) else [])


@dataclass(frozen=True, slots=True)
class _Refusal:
    reason: str
    columns: Sequence[str]
    """Those to try other values in."""


def _quoted(name: str) -> str:
    return _escaped('"' + name.replace('"', '""') + '"')


def _escaped(spelled: str) -> str:
    # psycopg reads % in a statement with parameters.
    return spelled.replace("%", "%%")
