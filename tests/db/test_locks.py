"""Locks by name: each tenant's its own, few at a time, gone with the transaction."""

import psycopg
import pytest
from sqlalchemy import text

from db.errors import NoTenantError, TooManyLocksError
from db.locks import hold_lock
from db.migration_lock import LOCK_KEY
from db.roles import Role
from db.session import Executor, platform_connection, tenant_session
from tests.databases import Database, TestTenant
from tests.db.work import body_of, start_one

NOW = text("set local lock_timeout = '50ms'")


def held_by(executor: Executor) -> int:
    """Return how many locks of this kind the transaction holds."""
    asked = text("select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()")
    count: int = executor.execute(asked).scalar_one()
    return count


def lock_at_once(tenant: TestTenant, key: str) -> None:
    """Take a lock in another transaction; raise where somebody has it."""
    with tenant_session(tenant.context, role=Role.WORKER) as session:
        session.execute(NOW)
        hold_lock(session, key)


def test_the_same_name_is_held_by_one_transaction_of_the_tenant_at_a_time(acme: TestTenant) -> None:
    with tenant_session(acme.context, role=Role.WORKER) as session:
        hold_lock(session, "invoice 7")
        lock_at_once(acme, "invoice 8")
        with pytest.raises(Exception, match="lock timeout"):
            lock_at_once(acme, "invoice 7")

    lock_at_once(acme, "invoice 7")


def test_the_same_name_is_another_lock_to_another_tenant(acme: TestTenant, zeta: TestTenant) -> None:
    with tenant_session(acme.context, role=Role.WORKER) as session:
        hold_lock(session, "invoice 7")
        lock_at_once(zeta, "invoice 7")


def test_a_transaction_holds_sixteen_and_may_ask_for_each_again(acme: TestTenant) -> None:
    with tenant_session(acme.context, role=Role.WORKER) as session:
        for number in [*range(16), *range(16)]:
            hold_lock(session, str(number))

        assert held_by(session) == 16
        with pytest.raises(TooManyLocksError, match="16 locks"):
            hold_lock(session, "one more")


def test_no_statement_takes_more(acme: TestTenant) -> None:
    with body_of(start_one(acme)) as body:
        with pytest.raises(TooManyLocksError):
            body.execute(text("select partywall.lock(g::text) from generate_series(1, 100000) as g"))
        body.rollback()

        assert held_by(body) == 0


def test_a_lock_without_a_tenant_is_refused(database: Database) -> None:
    with platform_connection(Role.WORKER) as connection, pytest.raises(NoTenantError):
        hold_lock(connection, "x")


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.MIGRATOR])
def test_a_service_may_take_no_lock_by_its_number(role: Role, database: Database) -> None:
    rows = database.ask(
        """
        select oid::regprocedure::text from pg_proc
        where (proname like 'pg\\_advisory\\_%' or proname like 'pg\\_try\\_advisory\\_%')
          and has_function_privilege(:login, oid, 'execute')
        """,
        login=role.login,
    )

    # That one takes none: it ends those of its own session.
    assert rows == ([("pg_advisory_unlock_all()",)] if role is Role.WORKER else [])


def test_who_migrates_may_take_the_one(database: Database) -> None:
    with psycopg.connect(database.url(Role.MIGRATOR)) as connection:
        connection.execute("select pg_try_advisory_lock(%s)", (LOCK_KEY,))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("select pg_advisory_lock(1)")
