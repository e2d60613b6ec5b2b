"""The first statement of a transaction and the last: what they bring along must not change what they say."""

import asyncio
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from db import attempts
from db.engine import TENANT, dispose_async_engines, engine_for
from db.errors import NoTenantError, PartywallError, TokenExpiredError
from db.opening import Opening
from db.roles import Role
from db.round_trip import round_trip
from db.session import async_tenant_session, become, platform_connection, tenant_session
from tests.databases import Database, TestTenant
from tests.db.acting import as_owner
from tests.db.leaving import assert_clean, look
from tests.db.notes import create_notes, write_note
from tests.db.test_context import mint
from tests.db.work import WRITE, body_of, effects, job_of, start_one

pytestmark = pytest.mark.usefixtures("pool_of_one")

WHO = text("select partywall.current_tenant_id()")


def tenants_connection(tenant: TestTenant) -> Connection:
    options: dict[str, Any] = {TENANT: tenant.context}
    return engine_for(Role.WORKER).connect().execution_options(**options)


def divide_by_zero(connection: Connection) -> None:
    connection.execute(text("select 1 / 0"))


def say_two_things(connection: Connection) -> None:
    connection.execute(text("select 1; select 2"))


def copy_without_copy(connection: Connection) -> None:
    connection.exec_driver_sql("copy app.notes (body) to stdout")


def bind_what_has_no_type(connection: Connection) -> None:
    connection.execute(text("select :thing"), {"thing": object()})


def bind_too_little(connection: Connection) -> None:
    connection.exec_driver_sql("select %s, %s", ("one",))


def execute_many_that_break(connection: Connection) -> None:
    connection.exec_driver_sql("select 1 / %s", [(1,), (0,)])


BROKEN = [
    divide_by_zero,
    say_two_things,
    copy_without_copy,
    bind_what_has_no_type,
    bind_too_little,
    execute_many_that_break,
]


@pytest.mark.parametrize("broken", BROKEN, ids=lambda each: each.__name__)
def test_a_first_statement_that_fails_says_why_and_leaves_a_clean_connection(
    broken: Callable[[Connection], None], acme: TestTenant
) -> None:
    with pytest.raises(DBAPIError) as failure, tenants_connection(acme) as connection:
        broken(connection)

    assert "pipeline aborted" not in str(failure.value)
    with platform_connection(Role.WORKER) as connection:
        assert_clean(look(connection), backend_pid=None)


@pytest.mark.parametrize("broken", BROKEN, ids=lambda each: each.__name__)
def test_the_connection_goes_on_after_a_rollback(broken: Callable[[Connection], None], acme: TestTenant) -> None:
    with tenants_connection(acme) as connection:
        with pytest.raises(DBAPIError):
            broken(connection)
        connection.rollback()

        assert connection.execute(WHO).scalar_one() == acme.id


@pytest.mark.parametrize("broken", [bind_what_has_no_type, bind_too_little], ids=lambda each: each.__name__)
def test_a_statement_that_never_left_leaves_the_opening_to_the_next(
    broken: Callable[[Connection], None], database: Database, acme: TestTenant
) -> None:
    with tenants_connection(acme) as connection:
        with pytest.raises(DBAPIError):
            broken(connection)
        connection.execute(WRITE)
        assert effects(database) == 0
        connection.rollback()

    assert effects(database) == 0


@pytest.mark.parametrize("broken", [divide_by_zero, say_two_things, execute_many_that_break], ids=lambda e: e.__name__)
def test_a_refused_token_is_told_before_what_is_wrong_with_the_statement(
    broken: Callable[[Connection], None], database: Database, acme: TestTenant
) -> None:
    expired = mint(database, acme, lifetime="-1 second")

    with pytest.raises(TokenExpiredError), platform_connection(Role.WORKER) as connection:
        become(connection, expired)
        broken(connection)


def test_what_follows_a_refused_token_is_not_executed(database: Database, acme: TestTenant) -> None:
    expired = mint(database, acme, lifetime="-1 second")
    with platform_connection(Role.WORKER) as connection:
        become(connection, expired)
        with pytest.raises(TokenExpiredError):
            connection.execute(WRITE)
        with pytest.raises(DBAPIError, match="current transaction is aborted"):
            connection.execute(text("select 1"))

    assert effects(database) == 0


def test_a_token_refused_on_the_event_loop_is_told_as_such(database: Database, acme: TestTenant) -> None:
    async def ask() -> None:
        try:
            async with async_tenant_session(mint(database, acme, lifetime="-1 second"), role=Role.API) as session:
                await session.execute(text("select 1 / 0"))
        finally:
            await dispose_async_engines()

    with pytest.raises(TokenExpiredError):
        asyncio.run(ask())


@pytest.mark.parametrize("size", [10, 1_000_000, 30_000_000])
def test_a_first_statement_of_any_size_travels_with_the_opening(size: int, acme: TestTenant) -> None:
    with tenant_session(acme.context, role=Role.WORKER) as session:
        back = session.execute(text("select cast(:sent as text)"), {"sent": "x" * size}).scalar_one()

    assert len(back) == size


def test_what_the_server_remarks_meanwhile_is_heard(acme: TestTenant) -> None:
    heard: list[str | None] = []
    with tenants_connection(acme) as connection:
        driver: Any = connection.connection.driver_connection
        driver.add_notice_handler(lambda notice: heard.append(notice.message_primary))
        connection.execute(text("do $$ begin raise warning 'by the way'; end $$"))

    assert heard == ["by the way"]


def test_a_backend_killed_before_the_first_statement_is_told_and_replaced(database: Database, acme: TestTenant) -> None:
    with tenants_connection(acme) as connection:
        pid = connection.execute(text("select pg_backend_pid()")).scalar_one()
        connection.commit()
        database.do("select pg_terminate_backend(:pid, 5000)", pid=pid)
        with pytest.raises(DBAPIError) as failure:
            connection.execute(WHO)
        connection.rollback()

        assert failure.value.connection_invalidated
        assert connection.execute(WHO).scalar_one() == acme.id


def test_the_opening_travels_in_a_pipeline_of_the_drivers_own(acme: TestTenant, zeta: TestTenant) -> None:
    write_note(acme, "mine")
    write_note(zeta, "theirs")

    with tenants_connection(acme) as connection:
        connection.begin()
        driver: Any = connection.connection.driver_connection
        with driver.pipeline():
            first = driver.execute("select body from app.notes")
            second = driver.execute("select count(*) from app.notes")
            assert (first.fetchall(), second.fetchall()) == ([("mine",)], [(1,)])


def test_a_refused_token_is_told_in_a_pipeline_of_the_drivers_own(database: Database, acme: TestTenant) -> None:
    with platform_connection(Role.WORKER) as connection:
        become(connection, mint(database, acme, lifetime="-1 second"))
        connection.begin()
        driver: Any = connection.connection.driver_connection
        with pytest.raises(psycopg.Error) as refusal, driver.pipeline():
            driver.execute("select 1").fetchall()

    assert refusal.value.sqlstate == TokenExpiredError.sqlstate


def test_a_refusal_at_the_end_of_a_transaction_that_nobody_began_is_raised(
    database: Database, acme: TestTenant
) -> None:
    database.do("create table app.once (n integer unique deferrable initially deferred)")
    database.do("grant insert on app.once to partywall_worker")
    try:
        with platform_connection(Role.WORKER, context=acme.context) as connection, pytest.raises(IntegrityError):
            connection.execute(text("insert into app.once values (1), (1)"))
    finally:
        database.do("drop table app.once")


class StrikeError(Exception):
    """What strikes in the middle of an exchange."""


@pytest.mark.parametrize("ahead", [(), (("begin", ()),), (("begin", ()), ("select 1", ()))], ids=len)
def test_an_exchange_broken_off_for_good_closes_the_connection(ahead: Opening, acme: TestTenant) -> None:
    def strike() -> None:
        raise StrikeError

    with tenants_connection(acme) as connection:
        driver: Any = connection.connection.driver_connection
        with pytest.raises(StrikeError):
            driver.wait(round_trip(driver.pgconn, ahead, strike))
        assert driver.closed

    with platform_connection(Role.WORKER) as connection:
        assert_clean(look(connection), backend_pid=None)


def test_options_that_change_the_isolation_level_are_refused_on_the_engine_too(acme: TestTenant) -> None:
    for level in ("SERIALIZABLE", "AUTOCOMMIT"):
        with pytest.raises(PartywallError, match="isolation level"):
            engine_for(Role.WORKER).execution_options(isolation_level=level)

    with platform_connection(Role.WORKER) as connection:
        driver: Any = connection.connection.driver_connection
        assert driver.autocommit


def test_an_engine_with_options_upon_options_begins_as_every_other(acme: TestTenant) -> None:
    options: dict[str, Any] = {TENANT: acme.context}
    engine = engine_for(Role.WORKER).execution_options(**options).execution_options(logging_token="tests")

    with engine.begin() as connection:
        assert connection.execute(WHO).scalar_one() == acme.id
    with engine_for(Role.WORKER).begin() as connection, pytest.raises(NoTenantError):
        connection.execute(WHO)


def test_a_commit_that_postgresql_refuses_is_told_and_keeps_nothing(
    own_database: Database, new_acme: TestTenant
) -> None:
    """A deferred constraint speaks up at COMMIT, behind the fence and in its round trip."""
    attempt = start_one(new_acme)

    with body_of(attempt) as connection:
        connection.execute(WRITE)
        connection.execute(
            text("insert into app.comments (note_id, body) values (partywall.uuid7(), 'on a note that is not there')")
        )
        with pytest.raises(DBAPIError) as refusal:
            attempts.finish(connection, result=None)

    assert isinstance(refusal.value.orig, psycopg.errors.ForeignKeyViolation)
    assert effects(own_database) == 0
    assert job_of(new_acme, attempt.job_id).state == "running"


@pytest.fixture
def new_acme(own_database: Database, new_tenant: Callable[[str], TestTenant]) -> TestTenant:
    """A tenant of a database where a comment's note may come after it, until COMMIT."""
    create_notes(own_database)
    as_owner(
        own_database,
        "alter table app.comments alter constraint comments_tenant_id_note_id_fkey deferrable initially deferred",
    )
    return new_tenant("acme")


def test_a_result_that_is_no_json_is_refused_before_anything_is_sent(database: Database, acme: TestTenant) -> None:
    attempt = start_one(acme)
    with body_of(attempt) as connection:
        connection.execute(WRITE)
        with pytest.raises(TypeError):
            attempts.finish(connection, result=object())
        attempts.abandon(connection)
        state = attempts.fail(connection, error={"type": "TypeError"}, retry_after_seconds=None)

    assert (state, effects(database)) == ("failed", 0)
