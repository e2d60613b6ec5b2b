"""Roles, owners, grants and the wall, read from the catalog of a freshly migrated database."""

import pytest

from db.roles import Role
from tests.databases import Database

SERVICES = [role for role in Role if role is not Role.MIGRATOR]


def test_no_role_is_above_row_level_security(catalog: Database) -> None:
    rows = catalog.ask("""
        select rolname::text
        from pg_roles
        where rolname like 'partywall%'
          and (rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolinherit
               or (rolbypassrls and (rolname <> 'partywall_backup' or rolcanlogin)))
    """)

    assert rows == []


def test_no_login_is_a_member_of_another_but_the_migrator_of_the_owner(catalog: Database) -> None:
    rows = catalog.ask("""
        select member::regrole::text, roleid::regrole::text
        from pg_auth_members
        where member::regrole::text like 'partywall%' or roleid::regrole::text like 'partywall%'
    """)

    assert rows == [("partywall_migrator", "partywall_owner")]


def test_everything_belongs_to_the_owner(catalog: Database) -> None:
    rows = catalog.ask("""
        select distinct relowner::regrole::text
        from pg_class
        where relnamespace in ('app'::regnamespace, 'partywall'::regnamespace, 'partywall_private'::regnamespace)
        union
        select distinct proowner::regrole::text
        from pg_proc
        where pronamespace in ('app'::regnamespace, 'partywall'::regnamespace, 'partywall_private'::regnamespace)
    """)

    assert rows == [("partywall_owner",)]


def test_nobody_but_owner_and_backup_holds_more_than_reading_and_writing(catalog: Database) -> None:
    """TRUNCATE, REFERENCES, TRIGGER and MAINTAIN each walk around row-level security."""
    rows = catalog.ask("""
        select relations.oid::regclass::text, grantee::regrole::text, privilege_type
        from pg_class as relations
        cross join aclexplode(relacl)
        where relnamespace in ('app'::regnamespace, 'partywall'::regnamespace, 'partywall_private'::regnamespace)
          and grantee <> relowner
          and privilege_type not in ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
    """)

    assert rows == []


def test_platform_tables_are_written_by_functions_only(catalog: Database) -> None:
    rows = catalog.ask("""
        select distinct privilege_type
        from pg_class
        cross join aclexplode(relacl)
        where relnamespace = 'partywall'::regnamespace and grantee <> relowner
        union
        select distinct privilege_type
        from pg_attribute
        cross join aclexplode(attacl)
        where attrelid in (select oid from pg_class where relnamespace = 'partywall'::regnamespace)
    """)

    assert rows == [("SELECT",)]


@pytest.mark.parametrize("role", SERVICES)
def test_no_service_may_create_anything(role: Role, catalog: Database) -> None:
    (rights,) = catalog.ask(
        """
        select
            has_database_privilege(:login, current_database(), 'create'),
            has_database_privilege(:login, current_database(), 'temp'),
            exists (select from pg_namespace where has_schema_privilege(:login, oid, 'create')),
            has_schema_privilege(:login, 'partywall_private', 'usage')
        """,
        login=role.login,
    )

    assert rights == (False, False, False, False)


def test_only_our_logins_may_connect(catalog: Database) -> None:
    rows = catalog.ask("""
        select coalesce(nullif(grantee, 0)::regrole::text, 'PUBLIC')
        from pg_database
        cross join aclexplode(datacl)
        where datname = current_database() and grantee <> datdba
          and (grantee = 0 or grantee::regrole::text not like 'partywall%')
    """)

    assert rows == []


def test_every_table_of_the_adopter_stands_behind_the_wall(catalog: Database) -> None:
    open_tables = catalog.ask("""
        select oid::regclass::text
        from pg_class
        where relnamespace = 'app'::regnamespace
          and relkind in ('r', 'p')
          and not (
              relrowsecurity
              and relforcerowsecurity
              and 2 = (
                  select count(*) from pg_policy where polrelid = pg_class.oid and polname like 'tenant_isolation%'
              )
          )
    """)
    other_relations = catalog.ask("""
        select oid::regclass::text from pg_class
        where relnamespace = 'app'::regnamespace and relkind not in ('r', 'p', 'i', 'I', 'S')
    """)

    assert (open_tables, other_relations) == ([], [])


def test_every_key_of_the_adopters_tables_begins_with_the_tenant(catalog: Database) -> None:
    """A unique index or foreign key without the tenant answers questions about others."""
    rows = catalog.ask("""
        select conrelid::regclass::text, conname::text
        from pg_constraint
        where connamespace = 'app'::regnamespace
          and contype in ('p', 'u', 'f')
          and 'tenant_id' <> (
              select attname from pg_attribute where attrelid = conrelid and attnum = conkey[1]
          )
        union all
        select indrelid::regclass::text, indexrelid::regclass::text
        from pg_index
        where indrelid in (select oid from pg_class where relnamespace = 'app'::regnamespace)
          and 'tenant_id' <> (select attname from pg_attribute where attrelid = indrelid and attnum = indkey[0])
    """)

    assert rows == []


def test_a_column_a_new_migration_adds_to_jobs_is_not_shown_by_itself(catalog: Database) -> None:
    """The grants on jobs name columns; this fails when a column was added and nobody decided who sees it."""
    decided = catalog.ask("""
        select count(*)
        from pg_attribute
        where attrelid = 'partywall.jobs'::regclass and attnum > 0 and not attisdropped
          and attacl is null and attname not in ('dispatch_nonce', 'sends', 'bundle_place')
    """)

    assert decided == [(0,)]
