"""What a tenant has, row by row, so that two moments can be compared."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection

from db.tables import Table


@dataclass(frozen=True, slots=True)
class RowPrint:
    """One row without its contents: a digest, the UUIDs that are its own, and the marks in it."""

    digest: str
    ids: frozenset[str]
    marks: frozenset[str]


Snapshot = Mapping[str, Counter[RowPrint]]
"""The rows of a tenant by table; tables without one are left out."""


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to a table's rows between two snapshots. An update is one row added and one removed."""

    table: str
    added: int
    removed: int

    @property
    def rows(self) -> int:
        """How many rows it was, at least."""
        return max(self.added, self.removed)

    @property
    def verb(self) -> str:
        """What was done to them."""
        if self.added and self.removed:
            return "changed"
        return "added" if self.added else "removed"


def snapshot(connection: Connection, tables: Sequence[Table], *, tenant_id: UUID, mark_pattern: str) -> Snapshot:
    """Return every row of the tenant in `tables`. One statement: one moment.

    Jobs that are not over are left out: the dispatcher changes them whenever they are due.

    `mark_pattern` is a regular expression of PostgreSQL; what it finds in a row are its marks, in lower case.
    """
    questions = [_question(table) for table in tables]
    rows = connection.exec_driver_sql(" union all ".join(questions), (mark_pattern, tenant_id) * len(questions)).all()
    found: dict[str, Counter[RowPrint]] = {}
    for name, digest, ids, marks in rows:
        print_ = RowPrint(digest, frozenset(ids), frozenset(mark.lower() for mark in marks))
        found.setdefault(name, Counter())[print_] += 1
    return found


def compare(before: Snapshot, after: Snapshot, *, leave_out: frozenset[str] = frozenset()) -> list[Change]:
    """Return the tables whose rows are not the same. Rows with one of the ids in `leave_out` do not count."""
    changes = []
    for table in sorted({*before, *after}):
        old, new = before.get(table, Counter()), after.get(table, Counter())
        added, removed = (
            sum(count for row, count in side.items() if not row.ids & leave_out) for side in (new - old, old - new)
        )
        if added or removed:
            changes.append(Change(table, added, removed))
    return changes


def marks_in(connection: Connection, tables: Sequence[Table], *, mark_pattern: str) -> list[tuple[str, str]]:
    """Return (table, mark) for every mark that stands in one of the tables, whoever's row it is in."""
    if not tables:
        return []
    questions = [
        f"select '{_literal(table.name)}', lower(found.mark[1]) "  # noqa: S608 - names of the catalog
        f"from {_escaped(table.name)} as t cross join lateral regexp_matches(t::text, %s, 'gi') as found (mark)"
        for table in tables
    ]
    rows = connection.exec_driver_sql(" union ".join(questions), (mark_pattern,) * len(questions)).all()
    return [(name, mark) for name, mark in rows]


def _question(table: Table) -> str:
    settled = " and t.finished_at is not null" if table.name == "partywall.jobs" else ""
    # An attempt is its job's: where the one does not count, neither does the other.
    own = ("job_id",) if table.name == "partywall.attempts" else table.own_ids
    ids = ", ".join(f"t.{name}::text" for name in own)
    return (
        f"select '{_literal(table.name)}', md5(t::text), array[{_escaped(ids)}]::text[], "  # noqa: S608 - the catalog's
        f"array(select found.mark[1] from regexp_matches(t::text, %s, 'gi') as found (mark)) "
        f"from {_escaped(table.name)} as t where t.tenant_id = %s{settled}"
    )


def _literal(name: str) -> str:
    return _escaped(name.replace("'", "''"))


def _escaped(spelled: str) -> str:
    # psycopg reads % in a statement with parameters.
    return spelled.replace("%", "%%")
