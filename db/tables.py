"""Every table there is, with what its rows may hold: for whoever has to look at all of them, or fill them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from db import sql_files

TENANT_COLUMN = "tenant_id"


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `type` is as SQL spells it, `base` the name of the type below a domain."""

    name: str
    type: str
    base: str
    element: str | None
    """The name of an array's element type."""
    longest: int | None
    """Characters, where the type limits them."""
    labels: Sequence[str] | None
    """Of an enum."""
    is_required: bool
    has_default: bool
    is_computed: bool
    """Generated or an identity: not to be written."""


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """Columns whose values must stand in `referenced` of another table, in this order."""

    table: str
    columns: Sequence[str]
    referenced: Sequence[str]


@dataclass(frozen=True, slots=True)
class RowCheck:
    """A check constraint and the columns it looks at."""

    name: str
    columns: Sequence[str]
    definition: str


@dataclass(frozen=True, slots=True)
class Table:
    """One table. `name` is schema-qualified and quoted where need be, so it may stand in SQL as it is."""

    name: str
    is_platform: bool
    """In one of Partywall's own schemas."""
    may_read: bool
    """Whoever asked may."""
    worker_writes: bool
    columns: Sequence[Column]
    primary_key: Sequence[str]
    foreign_keys: Sequence[ForeignKey]
    checks: Sequence[RowCheck]

    @property
    def has_tenant(self) -> bool:
        """Whether its rows say whose they are."""
        return any(column.name == TENANT_COLUMN and column.base == "uuid" for column in self.columns)


def list_tables(connection: Connection) -> list[Table]:
    """Return every table outside the system's schemas, by name. Reads the catalog only."""
    asked = connection.execution_options(no_parameters=True).exec_driver_sql(sql_files.read("queries/tables.sql").text)
    return [
        Table(
            name=row.name,
            is_platform=row.is_platform,
            may_read=row.may_read,
            worker_writes=row.worker_writes,
            columns=[Column(**each) for each in row.columns or ()],
            primary_key=row.primary_key,
            foreign_keys=[ForeignKey(**each) for each in row.foreign_keys],
            checks=[RowCheck(**each) for each in row.checks],
        )
        for row in asked.all()
    ]


def parents_first(tables: Sequence[Table]) -> list[Table]:
    """Return the tables so that each comes after those its foreign keys name; of a circle, in any order."""
    ordered: list[Table] = []
    left = {table.name: table for table in tables}
    while left:
        free = [table for table in left.values() if not _waits_for(table, left)] or [next(iter(left.values()))]
        for table in free:
            ordered.append(left.pop(table.name))
    return ordered


def _waits_for(table: Table, left: dict[str, Any]) -> bool:
    return any(key.table in left and key.table != table.name for key in table.foreign_keys)
