"""Who may do what, tried as each role."""

from collections.abc import Mapping

import psycopg
import pytest

from db.roles import Role
from tests.databases import Database, TestTenant
from tests.db.acting import raw_connection
from tests.db.work import enqueue_one


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
        # What sessions of one role share, and with it the tenants they serve.
        "select pg_terminate_backend(1)",
        "select pg_cancel_backend(1)",
        "select * from pg_stat_activity",
        "select * from pg_stat_get_activity(null)",
        "select pg_stat_get_backend_activity(1)",
        "select lo_from_bytea(0, 'left for another tenant')",
        "select lo_creat(-1)",
        "select lo_get(1)",
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
        "select * from partywall.dispatch(array['default'], null, null, 1, 1, '1 minute')",
        "select * from partywall.expire_leases(1)",
        "select partywall.fan_out('x', now(), 'x', 'x', 1)",
        "select partywall.protect('app.notes')",
        "select * from partywall.jobs_overview(null, null, null, null, 1)",
    ],
    Role.API: [
        "select * from partywall.claim(gen_random_uuid(), '{}', gen_random_uuid(), 'x', 'x', null, '1 s', '1 s')",
        "select partywall.finish('{}')",
        "select partywall.open_tenant('acme')",
        "select count(*) from app.notes",
        "select dispatch_nonce from partywall.jobs",
        "update partywall.jobs set state = 'queued'",
        "select * from partywall_private.api_keys",
        "select * from partywall.dispatch(array['default'], null, null, 1, 1, '1 minute')",
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
        "select * from partywall.claim(gen_random_uuid(), '{}', gen_random_uuid(), 'x', 'x', null, '1 s', '1 s')",
        "select partywall.authenticate('x', 'x')",
    ],
    Role.SCHEDULER: [
        "select 1 from partywall.jobs",
        "select 1 from partywall.tenants",
        "select 1 from app.notes",
        "select partywall.enter('x')",
        "select partywall.enqueue('x', '{}', 'x', null, 1)",
        "select * from partywall.dispatch(array['default'], null, null, 1, 1, '1 minute')",
    ],
    Role.OPERATOR: [
        "select count(*) from app.notes",
        "select * from partywall_private.api_keys",
        "select * from partywall_private.signing_keys",
        "select dispatch_nonce from partywall.jobs",
        "update partywall.tenants set status = 'active'",
        "select partywall_private.mint(gen_random_uuid(), 'x', '1 hour')",
        "select partywall.finish('{}')",
        "select * from partywall.claim(gen_random_uuid(), '{}', gen_random_uuid(), 'x', 'x', null, '1 s', '1 s')",
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
