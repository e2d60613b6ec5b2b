"""The context of a transaction: it cannot be forged or outlived, and nobody gets to see it."""

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from db.context import TenantContext
from db.errors import NoTenantError, TokenExpiredError, TokenRejectedError
from db.roles import Role
from db.session import tenant_session
from tests.databases import Database, TestTenant
from tests.db.acting import raw_connection
from tests.db.notes import COUNT, write_note


def test_a_read_after_commit_in_sql_is_refused(acme: TestTenant) -> None:
    write_note(acme)

    with pytest.raises(NoTenantError), tenant_session(acme.context, role=Role.WORKER) as session:
        session.execute(COUNT)
        session.execute(text("commit"))
        session.execute(COUNT)


def test_a_token_set_by_sql_after_commit_cannot_name_another_tenant(acme: TestTenant, zeta: TestTenant) -> None:
    write_note(zeta)
    mine = acme.context.token.split(".")
    forged = ".".join([*mine[:2], str(zeta.id), *mine[3:]])

    with pytest.raises(TokenRejectedError), tenant_session(acme.context, role=Role.WORKER) as session:
        session.execute(text("select 1"))
        session.execute(text("commit"))
        session.execute(text("begin"))
        session.execute(text("select set_config('partywall.token', :forged, true)"), {"forged": forged})
        session.execute(COUNT)


@pytest.mark.parametrize("local", [True, False])
def test_naming_a_tenant_in_the_setting_gets_nowhere(local: bool, acme: TestTenant, zeta: TestTenant) -> None:
    write_note(zeta)

    with pytest.raises(TokenRejectedError), tenant_session(acme.context, role=Role.WORKER) as session:
        session.execute(
            text("select set_config('partywall.token', :tenant, :local)"), {"tenant": str(zeta.id), "local": local}
        )
        session.execute(COUNT)


def test_a_context_set_by_startup_options_gets_nowhere(database: Database, acme: TestTenant) -> None:
    write_note(acme)
    options = f"-c partywall.token={acme.id}"

    with (
        psycopg.connect(database.url(Role.WORKER), options=options) as connection,
        pytest.raises(psycopg.DatabaseError) as refusal,
    ):
        connection.execute("select count(*) from app.notes")

    assert refusal.value.sqlstate == TokenRejectedError.sqlstate


def test_an_expired_token_is_refused_with_the_first_statement(database: Database, acme: TestTenant) -> None:
    expired = mint(database, acme, lifetime="-1 second")

    with pytest.raises(TokenExpiredError), tenant_session(expired, role=Role.WORKER) as session:
        session.execute(text("select 1"))


def test_a_token_that_expires_meanwhile_ends_the_transaction(database: Database, acme: TestTenant) -> None:
    write_note(acme)
    brief = mint(database, acme, lifetime="1 second")

    with pytest.raises(TokenExpiredError), tenant_session(brief, role=Role.WORKER) as session:
        session.execute(text("select pg_sleep(2.1)"))
        session.execute(COUNT)


def test_an_error_shows_neither_token_nor_what_was_bound(acme: TestTenant) -> None:
    with pytest.raises(DBAPIError) as failure, tenant_session(acme.context, role=Role.WORKER) as session:
        session.execute(text("select cast(:secret as text), 1 / 0"), {"secret": "tenant's own"})

    shown = f"{failure.value}{failure.value!r}{failure.value.__cause__!r}"
    assert "tenant's own" not in shown
    assert acme.context.token not in shown


def test_a_context_shows_no_token(acme: TestTenant) -> None:
    assert acme.context.token not in f"{acme.context!r} {acme.context}"
    assert str(acme.id) in repr(acme.context)


def test_a_session_cannot_look_at_another_of_its_role(database: Database, acme: TestTenant) -> None:
    with raw_connection(database, Role.WORKER) as spy, pytest.raises(psycopg.errors.InsufficientPrivilege):
        spy.execute("select query from pg_stat_activity")


def test_whoever_can_look_at_a_session_sees_no_token(database: Database, acme: TestTenant) -> None:
    with tenant_session(acme.context, role=Role.WORKER) as session:
        session.execute(COUNT)
        counting = database.ask("select query from pg_stat_activity where datname = current_database()")
    with tenant_session(acme.context, role=Role.WORKER) as session:
        session.connection().exec_driver_sql("select partywall.enter(current_setting('partywall.token'))")
        entering = database.ask("select query from pg_stat_activity where datname = current_database()")

    assert ("select count(*) from app.notes",) in counting
    assert not any("pw1." in str(query) for (query,) in [*counting, *entering])


def mint(database: Database, tenant: TestTenant, *, lifetime: str) -> TenantContext:
    ((token,),) = database.ask(
        "select partywall_private.mint(:tenant, 'job/x/1', cast(:lifetime as interval))",
        tenant=tenant.id,
        lifetime=lifetime,
    )
    return TenantContext.of(str(token))
