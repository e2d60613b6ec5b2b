"""What a table looks like to somebody who wants to insert a row: columns, checks, references, partitions."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ARRAY, BigInteger, Connection, Row, bindparam, text

from db import sql_files

TENANT_COLUMN = "tenant_id"
_HASHED = re.compile(r"modulus (\d+), remainder (\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Column:
    """A column, and what its type takes."""

    name: str
    quoted: str
    """As SQL spells it."""
    type: str
    base_type: str
    """What is beneath a domain."""
    category: str
    element_type: str | None
    is_required: bool
    has_default: bool
    is_generated: bool
    max_length: int | None
    labels: Sequence[str]
    """Of an enum."""
    checks: Sequence[str]
    """Of its domain."""

    @property
    def must_be_given(self) -> bool:
        """True when an insert that leaves it out fails."""
        return self.is_required and not self.has_default and not self.is_generated


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key: each column, and what it refers to."""

    name: str
    target: int
    pairs: Sequence[tuple[str, str]]

    @property
    def own(self) -> list[tuple[str, str]]:
        """The pairs without the tenant's."""
        return [pair for pair in self.pairs if pair[0] != TENANT_COLUMN]


@dataclass(frozen=True, slots=True)
class Rule:
    """A check constraint, by the columns it looks at."""

    name: str
    columns: Sequence[str]
    definition: str


@dataclass(frozen=True, slots=True)
class Bound:
    """What a partition takes: the columns that decide, and `FOR VALUES ...` as PostgreSQL spells it."""

    parent: int
    keys: Sequence[str]
    text: str

    @property
    def hashes(self) -> tuple[int, int] | None:
        """Modulus and remainder of a hash partition."""
        found = _HASHED.search(self.text)
        return (int(found[1]), int(found[2])) if found else None


@dataclass(slots=True)
class Table:
    """A table."""

    oid: int
    name: str
    columns: dict[str, Column] = field(default_factory=dict)
    references: list[Reference] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    bounds: list[Bound] = field(default_factory=list)
    """Of the partition that a row goes into, and of those above it."""

    @property
    def has_tenant(self) -> bool:
        """True for a table whose rows have an owner."""
        return TENANT_COLUMN in self.columns

    @property
    def is_hashed(self) -> bool:
        """True when the partition depends on a hash, so that another value may do where one did not."""
        return any(bound.hashes for bound in self.bounds)


def load_tables(connection: Connection, oids: Iterable[int]) -> dict[int, Table]:
    """Return the tables, and every table that they refer to, however far away."""
    tables: dict[int, Table] = {}
    wanted = set(oids)
    while wanted:
        loaded = _load(connection, sorted(wanted))
        tables |= loaded
        wanted = {reference.target for table in loaded.values() for reference in table.references} - tables.keys()
    _add_bounds(connection, tables)
    return tables


def _load(connection: Connection, oids: Sequence[int]) -> dict[int, Table]:
    # Bound values stand beside the names in a statement, where a percent sign begins a placeholder.
    tables = {row.oid: Table(row.oid, row.name.replace("%", "%%")) for row in _ask(connection, "relations", oids)}
    for row in _ask(connection, "columns", oids):
        fields = row._asdict()
        relation = fields.pop("relation")
        fields["quoted"] = row.quoted.replace("%", "%%")
        tables[relation].columns[row.name] = Column(**fields)
    for row in _ask(connection, "constraints", oids):
        if row.kind == "f":
            pairs = list(zip(row.columns, row.target_columns, strict=True))
            tables[row.relation].references.append(Reference(row.name, row.target, pairs))
        else:
            tables[row.relation].rules.append(Rule(row.name, row.columns, row.definition))
    return tables


def _ask(connection: Connection, name: str, oids: Sequence[int]) -> Sequence[Row[Any]]:
    query = text(sql_files.read(f"audit/probe/{name}.sql").text)
    return connection.execute(query.bindparams(bindparam("relations", list(oids), ARRAY(BigInteger)))).all()


def _add_bounds(connection: Connection, tables: dict[int, Table]) -> None:
    rows = connection.execute(text(sql_files.read("audit/probe/partitions.sql").text)).all()
    above = {row.partition: row for row in rows}
    below: dict[int, list[int]] = defaultdict(list)
    for row in rows:
        # A row that fits a named partition is easier to make up than one that fits none.
        below[row.parent].insert(len(below[row.parent]) if row.bound == "DEFAULT" else 0, row.partition)
    for table in tables.values():
        leaf = table.oid
        while leaf in below:
            leaf = below[leaf][0]
        while leaf in above:
            table.bounds.append(Bound(above[leaf].parent, above[leaf].keys, above[leaf].bound))
            leaf = above[leaf].parent
