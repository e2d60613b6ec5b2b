"""Every table there is, for whoever has to look at all of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from db import sql_files


@dataclass(frozen=True, slots=True)
class Table:
    """One table. `name` is schema-qualified and quoted where need be, so it may stand in SQL as it is."""

    oid: int
    name: str
    is_platform: bool
    """In one of Partywall's own schemas."""
    may_read: bool
    """Whoever asked may."""
    worker_writes: bool
    has_tenant: bool
    """Its rows say whose they are."""
    own_ids: Sequence[str]
    """Columns that tell a row from any other anywhere, as SQL spells them."""


def list_tables(connection: Connection) -> list[Table]:
    """Return every table outside the system's schemas, by name. Reads the catalog only."""
    asked = connection.execution_options(no_parameters=True).exec_driver_sql(sql_files.read("queries/tables.sql").text)
    return [Table(**row._asdict()) for row in asked.all()]
