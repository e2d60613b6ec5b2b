"""Looking at a table's wall without asking the guard."""

from tests.databases import Database

COLUMNS = "tenant_id uuid not null default partywall.current_tenant_id(), id int not null, primary key (tenant_id, id)"

# app.files was protected by its migration: what it has, all must have.
_STANDS = """
    select
        relations.relrowsecurity
        and relations.relforcerowsecurity
        and exists (
            select from pg_attribute
            where attrelid = relations.oid and attname = 'tenant_id' and attnotnull
        )
        and not exists (
            select permissive, policyname, roles, cmd, qual, with_check
            from pg_policies where schemaname = 'app' and tablename = 'files'
            except
            select permissive, policyname, roles, cmd, qual, with_check
            from pg_policies
            where format('%I.%I', schemaname, tablename)::regclass = relations.oid
        )
    from pg_class as relations
    where relations.oid = to_regclass(:name)
"""


def stands(database: Database, table: str) -> bool:
    """Return whether the table is there and all of the wall before it."""
    return database.ask(_STANDS, name=table) == [(True,)]


def exists(database: Database, relation: str) -> bool:
    """Return whether there is such a thing."""
    return database.ask("select to_regclass(:name) is not null", name=relation) == [(True,)]
