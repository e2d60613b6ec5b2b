"""Who may do what, read from the catalog of a freshly migrated database and tried as each role."""

from collections.abc import Mapping

import psycopg
import pytest

from cli.stack.postgres import EmbeddedPostgres
from db.roles import Role
from tests.databases import TEMPLATE, Database, TestTenant
from tests.db.acting import raw_connection
from tests.db.work import enqueue_one

EVERY_SERVICE = {"worker", "api", "dispatcher", "scheduler", "operator"}

EXECUTE: Mapping[str, set[str]] = {
    "authenticate": {"api"},
    "claim": {"worker"},
    "create_api_key": {"operator"},
    "create_tenant": {"operator"},
    "current_tenant_id": {"PUBLIC"},
    "dispatch": {"dispatcher"},
    "enqueue": {"worker", "api", "operator"},
    "enter": {"worker", "api", "operator"},
    "expire_leases": {"dispatcher"},
    "fail": {"worker"},
    "fan_out": {"scheduler"},
    "finish": {"worker"},
    "hold_lease": {"worker"},
    "installed_schema": EVERY_SERVICE,
    "jobs_overview": {"operator"},
    "open_tenant": {"operator"},
    "protect": set(),
    "prune_jobs": {"worker"},
    "report_progress": {"worker"},
    "resume_tenant": {"operator"},
    "retire_signing_key": {"operator"},
    "revoke_api_key": {"operator"},
    "rotate_signing_key": {"operator"},
    "save_checkpoint": {"worker"},
    "suspend_tenant": {"operator"},
    "undo_dispatch": {"dispatcher"},
    "uuid7": {"PUBLIC"},
}
"""Every function of the schema partywall and who may execute it beside its owner."""

SERVICES = [role for role in Role if role is not Role.MIGRATOR]


@pytest.fixture(scope="module")
def catalog(postgres: EmbeddedPostgres) -> Database:
    """The template: to be read only."""
    return Database(server=postgres, name=TEMPLATE)


def grantees(catalog: Database, schema: str) -> dict[str, set[str]]:
    rows = catalog.ask(
        """
        select proname::text, coalesce(nullif(grantee, 0)::regrole::text, 'PUBLIC')
        from pg_proc
        cross join aclexplode(coalesce(proacl, acldefault('f', proowner)))
        where pronamespace = cast(:schema as regnamespace)
        """,
        schema=schema,
    )
    found: dict[str, set[str]] = {}
    for name, grantee in rows:
        found.setdefault(str(name), set()).add(str(grantee).removeprefix("partywall_"))
    return found


def test_each_function_is_executable_by_exactly_the_roles_that_need_it(catalog: Database) -> None:
    found = {name: roles - {"owner"} for name, roles in grantees(catalog, "partywall").items()}

    assert found == EXECUTE


def test_private_functions_are_the_owners_alone(catalog: Database) -> None:
    assert set.union(*grantees(catalog, "partywall_private").values()) == {"owner"}


def test_no_function_has_two_forms(catalog: Database) -> None:
    """A second form keeps the grants of the first when a file changes the arguments."""
    assert (
        catalog.ask("""
        select proname from pg_proc
        where pronamespace in ('partywall'::regnamespace, 'partywall_private'::regnamespace)
        group by proname having count(*) > 1
    """)
        == []
    )


def test_every_definer_function_has_a_pinned_search_path_with_temporary_objects_last(catalog: Database) -> None:
    loose = catalog.ask("""
        select oid::regprocedure::text
        from pg_proc
        where pronamespace in ('partywall'::regnamespace, 'partywall_private'::regnamespace, 'app'::regnamespace)
          and prosqlbody is null
          and not coalesce('search_path=pg_catalog, pg_temp' = any(proconfig), false)
    """)

    assert loose == []


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


def refusal_of(database: Database, role: Role, statement: str) -> str | None:
    """Return the SQLSTATE with which PostgreSQL refuses the role a statement."""
    with raw_connection(database, role) as connection, connection.transaction(force_rollback=True):
        try:
            connection.execute(statement.encode())
        except psycopg.Error as error:
            return error.sqlstate
    return None


NO_RIGHT = "42501"

FORBIDDEN: Mapping[Role, list[str]] = {
    Role.WORKER: [
        "truncate app.notes",
        "create trigger t before insert on app.notes execute function suppress_redundant_updates_trigger()",
        "create table public.t (id int)",
        "create table app.t (id int)",
        "create temporary table t (id int)",
        "create schema t",
        "alter table app.notes disable row level security",
        "drop policy tenant_isolation on app.notes",
        "alter role partywall_worker bypassrls",
        "set role partywall_owner",
        "set session authorization partywall_api",
        "update partywall.jobs set state = 'queued'",
        "delete from partywall.jobs",
        "insert into partywall.tenants (slug, name) values ('t', 't')",
        "select dispatch_nonce from partywall.jobs",
        "select * from partywall.jobs",
        "select * from partywall_private.signing_keys",
        "select partywall_private.mint(gen_random_uuid(), 'job/1/1', '1 hour')",
        "select partywall_private.verify('x')",
        "select partywall.authenticate('x', 'x')",
        "select partywall.open_tenant('acme')",
        "select partywall.rotate_signing_key()",
        "select * from partywall.dispatch('default', null, 1, 1, '1 minute')",
        "select * from partywall.expire_leases(1)",
        "select partywall.fan_out('x', now(), 'x', 'x', 1)",
        "select partywall.protect('app.notes')",
        "select * from partywall.jobs_overview(null, null, null, null, 1)",
    ],
    Role.API: [
        "select * from partywall.claim(gen_random_uuid(), '{}', gen_random_uuid(), 'x', 'x', '1 minute')",
        "select partywall.finish('{}')",
        "select partywall.open_tenant('acme')",
        "select count(*) from app.notes",
        "select dispatch_nonce from partywall.jobs",
        "update partywall.jobs set state = 'queued'",
        "select * from partywall_private.api_keys",
        "select * from partywall.dispatch('default', null, 1, 1, '1 minute')",
        "create temporary table t (id int)",
        "set role partywall_worker",
    ],
    Role.DISPATCHER: [
        "select payload from partywall.jobs",
        "select result from partywall.jobs",
        "select error from partywall.jobs",
        "select checkpoint from partywall.jobs",
        "select progress_note from partywall.jobs",
        "select idempotency_key from partywall.jobs",
        "select dispatch_nonce from partywall.jobs",
        "select 1 from partywall.jobs where payload::text like '%x%'",
        "update partywall.jobs set state = 'queued'",
        "select * from partywall.tenants",
        "select * from app.notes",
        "select partywall.enter('x')",
        "select partywall.enqueue('x', '{}', 'x', null, 1)",
        "select * from partywall.claim(gen_random_uuid(), '{}', gen_random_uuid(), 'x', 'x', '1 minute')",
        "select partywall.authenticate('x', 'x')",
    ],
    Role.SCHEDULER: [
        "select 1 from partywall.jobs",
        "select 1 from partywall.tenants",
        "select 1 from app.notes",
        "select partywall.enter('x')",
        "select partywall.enqueue('x', '{}', 'x', null, 1)",
        "select * from partywall.dispatch('default', null, 1, 1, '1 minute')",
    ],
    Role.OPERATOR: [
        "select count(*) from app.notes",
        "select * from partywall_private.api_keys",
        "select * from partywall_private.signing_keys",
        "select dispatch_nonce from partywall.jobs",
        "update partywall.tenants set status = 'active'",
        "select partywall_private.mint(gen_random_uuid(), 'x', '1 hour')",
        "select partywall.finish('{}')",
        "select * from partywall.claim(gen_random_uuid(), '{}', gen_random_uuid(), 'x', 'x', '1 minute')",
        "set role partywall_owner",
    ],
}


@pytest.mark.parametrize("role", FORBIDDEN)
def test_what_a_role_does_not_need_it_is_refused(role: Role, database: Database, acme: TestTenant) -> None:
    allowed = [statement for statement in FORBIDDEN[role] if refusal_of(database, role, statement) != NO_RIGHT]

    assert allowed == []


def test_the_dispatcher_sees_when_and_whose_but_not_what(
    database: Database, acme: TestTenant, zeta: TestTenant
) -> None:
    enqueue_one(acme)
    enqueue_one(zeta)

    with raw_connection(database, Role.DISPATCHER) as connection:
        rows = connection.execute("select tenant_id, task_name, state, run_at from partywall.jobs").fetchall()

    assert {row[0] for row in rows} == {acme.id, zeta.id}


def test_the_backup_role_sees_everything_and_cannot_log_in(database: Database, acme: TestTenant) -> None:
    enqueue_one(acme)
    with psycopg.connect(database.admin_url) as connection:
        connection.execute("set role partywall_backup")
        assert connection.execute("select count(*) from partywall.jobs").fetchone() == (1,)

    assert database.ask("select rolcanlogin from pg_roles where rolname = 'partywall_backup'") == [(False,)]


def test_a_column_a_new_migration_adds_to_jobs_is_not_shown_by_itself(catalog: Database) -> None:
    """The grants on jobs name columns; this fails when a column was added and nobody decided who sees it."""
    decided = catalog.ask("""
        select count(*)
        from pg_attribute
        where attrelid = 'partywall.jobs'::regclass and attnum > 0 and not attisdropped
          and attacl is null and attname not in ('dispatch_nonce', 'sends')
    """)

    assert decided == [(0,)]
