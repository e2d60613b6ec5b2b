"""The statements of the probe, on any table. Names come quoted from the catalog, values are bound."""

from collections.abc import Iterable, Mapping

from db.audit.probe.shape import TENANT_COLUMN, Column, Table

Statement = tuple[str, ...]
"""SQL, and what is bound to it."""


def insert(table: Table, values: Mapping[str, str], *, returning: bool = False) -> Statement:
    """Return an insert; with the row as text, if it is to be returned."""
    columns = [table.columns[name] for name in values]
    names = ", ".join(column.quoted for column in columns)
    casts = ", ".join(_cast(column) for column in columns)
    back = f" returning {as_text(table)}" if returning else ""
    return (f"insert into {table.name} ({names}) values ({casts}){back}", *values.values())  # noqa: S608


def update_all(table: Table, values: Mapping[str, str]) -> Statement:
    """Return an update without WHERE: one that reads no column is asked no SELECT policy."""
    changes = ", ".join(f"{table.columns[name].quoted} = {_cast(table.columns[name])}" for name in values)
    return (f"update {table.name} set {changes}", *values.values())  # noqa: S608


def touch(table: Table, tenant_id: str) -> Statement:
    """Return an update of one tenant's rows that changes nothing."""
    column = _tenant(table)
    return (f"update {table.name} set {column} = {column} where {column} = cast(%s as uuid)", tenant_id)  # noqa: S608


def delete(table: Table, tenant_id: str) -> Statement:
    """Return a delete of one tenant's rows."""
    return (f"delete from {table.name} where {_tenant(table)} = cast(%s as uuid)", tenant_id)  # noqa: S608


def delete_all(table: Table) -> Statement:
    """Return a delete without WHERE."""
    return (f"delete from {table.name}",)  # noqa: S608


def truncate(table: Table) -> Statement:
    """Return a truncate."""
    return (f"truncate {table.name}",)


def count_all(table: Table) -> Statement:
    """Return a count of all rows."""
    return (f"select count(*) from {table.name}",)  # noqa: S608


def count_of(table: Table, tenant_id: str) -> Statement:
    """Return a count of one tenant's rows."""
    return (f"select count(*) from {table.name} where {_tenant(table)} = cast(%s as uuid)", tenant_id)  # noqa: S608


def count_of_others(table: Table, tenant_id: str) -> Statement:
    """Return a count of all rows but one tenant's."""
    where = f"{_tenant(table)} is distinct from cast(%s as uuid)"
    return (f"select count(*) from {table.name} where {where}", tenant_id)  # noqa: S608


def lock(table: Table, tenant_id: str) -> Statement:
    """Return a select that locks one tenant's rows."""
    where = f"{_tenant(table)} = cast(%s as uuid)"
    return (f"select 1 from {table.name} where {where} for update", tenant_id)  # noqa: S608


def any_row(table: Table) -> Statement:
    """Return a select of some row, as text."""
    return (f"select {as_text(table)} from {table.name} limit 1",)  # noqa: S608


def fingerprint(view: str) -> Statement:
    """Return a select of how many rows a view shows and what they add up to."""
    return (
        f"select count(*), sum(hashtextextended(shown::text, 0)::numeric) from {view} as shown",  # noqa: S608
    )


def copy_out(table: Table) -> str:
    """Return a COPY TO."""
    return f"copy {_unbound(table.name)} to stdout"


def copy_in(table: Table, names: Iterable[str]) -> str:
    """Return a COPY FROM of these columns."""
    columns = ", ".join(_unbound(table.columns[name].quoted) for name in names)
    return f"copy {_unbound(table.name)} ({columns}) from stdin"


def copy_line(values: Mapping[str, str]) -> str:
    """Return the values as one line of COPY's text format."""
    return "\t".join(_escaped(value) for value in values.values()) + "\n"


def as_text(table: Table) -> str:
    """Return the table's columns as a select list of texts."""
    return ", ".join(f"{column.quoted}::text" for column in table.columns.values())


def _cast(column: Column) -> str:
    return f"cast(%s as {column.type})"


def _tenant(table: Table) -> str:
    return table.columns[TENANT_COLUMN].quoted


def _unbound(name: str) -> str:
    # In a statement without parameters a percent sign is one.
    return name.replace("%%", "%")


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
