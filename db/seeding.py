"""A row in every table for a tenant, full of marks, so that there is something of it that another could see.

The row is made up as the audit's probe makes up its own; then every value that may be any text gets a mark.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from db.audit.probe.login import Player
from db.audit.probe.rows import Rows, UnfillableError
from db.audit.probe.search import Values
from db.audit.probe.shape import TENANT_COLUMN, Column, load_tables
from db.audit.probe.shape import Table as Shape
from db.audit.probe.stage import Stage
from db.audit.probe.standins import StandIn
from db.context import TenantContext
from db.tables import Table

MARK_DIGITS = 32

MarkOf = Callable[[str, int], str]
"""Returns so many hex digits, 32 or 64, for a table: unguessable, and known again when they are seen."""


@dataclass(frozen=True, slots=True)
class Unseeded:
    """A table that got no row, and why."""

    table: str
    reason: str


def seed(connection: Connection, tables: Sequence[Table], *, context: TenantContext, mark: MarkOf) -> list[Unseeded]:
    """Add one row of the tenant to every table of tenants; return the tables that would not take any.

    In the connection's transaction, which has to be the tenant's where row-level security binds its login. The
    platform's own tables are left out.
    """
    shapes = load_tables(connection, [table.oid for table in tables if table.has_tenant and not table.is_platform])
    # Whoever is connected acts: nobody's part is played here.
    stage = Stage(connection, Player(name="", quoted="", is_superusers=False), lent=None)
    tenant = StandIn(name=str(context.tenant_id), tenant_id=context.tenant_id, token=context.token)
    rows = Rows(stage, dict(shapes))
    filled, unseeded = [], []
    for shape in shapes.values():
        if shape.has_tenant:
            try:
                filled.append((shape, rows.of(shape, tenant).row))
            except UnfillableError as error:
                unseeded.append(Unseeded(shape.name, str(error)))
    # Last: what a row refers to has its value by now, and PostgreSQL keeps it from being changed.
    for shape, row in filled:
        _mark(stage, shape, row, mark)
    return unseeded


def _mark(stage: Stage, shape: Shape, row: Values, mark: MarkOf) -> None:
    now = dict(row)
    for name, column in shape.columns.items():
        for value in _marked(column, lambda digits: mark(shape.name, digits)):
            matching = " and ".join(f"{shape.columns[known].quoted}::text = %s" for known in now)
            update = f"update {shape.name} set {column.quoted} = cast(%s as {column.type}) where {matching}"  # noqa: S608
            answer = stage.keep(f"{update} returning {column.quoted}::text", value, *now.values())
            if answer.rows:
                now[name] = answer.rows[0][0]
                break


def _marked(column: Column, mark: Callable[[int], str]) -> list[str]:
    """Return what to try in a column, best first; nothing where no mark has a place."""
    room = column.max_length or 10_000
    if column.name == TENANT_COLUMN or column.is_generated or column.labels or room < MARK_DIGITS:
        return []
    match column.base_type:
        case "uuid":
            return [mark(MARK_DIGITS)]
        case "bytea":
            # 32 bytes are what a digest has.
            return [rf"\x{mark(64)}", rf"\x{mark(MARK_DIGITS)}"]
        case "json" | "jsonb":
            return [f'{{"mark": "{mark(MARK_DIGITS)}"}}', f'["{mark(MARK_DIGITS)}"]', f'"{mark(MARK_DIGITS)}"']
    if column.category == "S":
        word = mark(MARK_DIGITS)
        texts = [word, mark(64), f"{word}@example.com", f"https://example.com/{word}", f"{word}.example.com"]
        return [text for text in texts if len(text) <= room]
    return []
