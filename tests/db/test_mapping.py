"""The mapped classes and the migrated tables say the same."""

import importlib
import pkgutil
from typing import Any, cast

from sqlalchemy import Table
from sqlalchemy.orm import Mapper

import tasks
from db.engine import engine_for
from db.roles import Role
from db.rows import TenantRow
from tests.databases import Database


def mapped() -> list[Mapper[Any]]:
    for module in pkgutil.walk_packages(tasks.__path__, "tasks."):
        importlib.import_module(module.name)
    ours = [each for each in TenantRow.registry.mappers if each.class_.__module__.split(".")[0] in ("db", "tasks")]
    return sorted(ours, key=lambda mapper: mapper.class_.__name__)


def test_mapped_classes_have_the_columns_of_the_migrated_tables(database: Database) -> None:
    """Alembic's own comparison sees no policies, grants and functions, so the SQL files are the truth."""
    hidden = {("partywall.jobs", name) for name in ("dispatch_nonce", "sends", "bundle_place")}
    found: dict[str, set[tuple[str, str, bool]]] = {}
    for table, name, kind, is_nullable in database.ask("""
        select attrelid::regclass::text, attname::text, format_type(atttypid, atttypmod), not attnotnull
        from pg_attribute
        where attnum > 0 and not attisdropped
    """):
        if (table, name) not in hidden:
            found.setdefault(str(table), set()).add((str(name), _family(str(kind)), bool(is_nullable)))

    for mapper in mapped():
        table = cast("Table", mapper.local_table)
        dialect = engine_for(Role.WORKER).dialect
        declared = {
            (column.name, _family(column.type.compile(dialect)), bool(column.nullable)) for column in table.columns
        }
        assert declared == found[table.fullname], mapper.class_.__name__


def test_every_mapped_class_is_of_a_protected_table_and_begins_with_the_tenant(database: Database) -> None:
    protected = {table for (table,) in database.ask("select polrelid::regclass::text from pg_policy")}

    for mapper in mapped():
        assert cast("Table", mapper.local_table).fullname in protected
        assert mapper.primary_key[0].name == "tenant_id"


def _family(kind: str) -> str:
    """Return the type without what a mapping need not repeat: length, precision, size of an integer."""
    spoken = kind.lower().split("(")[0]
    return {"varchar": "text", "integer": "bigint", "smallint": "bigint"}.get(spoken, spoken)
