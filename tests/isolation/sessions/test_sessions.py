"""Sessions of two tenants on one pooled connection, in every order hypothesis thinks of; and that it finds a leak."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import Connection

from cli.stack.postgres import EmbeddedPostgres
from db import cleaning, engine
from db.context import TenantContext
from db.engine import dispose_engines
from db.errors import NoTenantError
from tests.databases import Database, TestTenant, clone, drop, let_everybody_lock, make_tenant
from tests.db.notes import create_notes
from tests.isolation.sessions import machine
from tests.isolation.sessions.machine import World, sessions_in
from tests.isolation.sessions.rooms import AsyncRoom, Room, SyncRoom, enter

# The same examples every time: what a change breaks, it breaks for everyone.
STEADY = settings(
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    max_examples=80,
    stateful_step_count=40,
)
FINDING = settings(STEADY, phases=[Phase.generate], max_examples=200, print_blob=False)


@pytest.fixture(scope="module")
def database(postgres: EmbeddedPostgres) -> Iterator[Database]:
    """A database with a table of notes; one connection to it per role."""
    made = clone(postgres, "sessions")
    create_notes(made)
    let_everybody_lock(made)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**made.environment, "PARTYWALL_POOL_SIZE": "1"}.items():
            patch.setenv(name, value)
        dispose_engines()
        yield made
        dispose_engines()
    drop(made)


@pytest.fixture(scope="module")
def tenants(database: Database) -> tuple[TestTenant, TestTenant]:
    """Two tenants whose contexts last for all the examples."""
    made = make_tenant("acme"), make_tenant("zeta")
    mint = "select partywall_private.mint(:tenant, 'tests/1', interval '1 hour')"

    def lasting(tenant: TestTenant) -> TestTenant:
        ((token,),) = database.ask(mint, tenant=tenant.id)
        return TestTenant(tenant.id, tenant.slug, tenant.key, TenantContext.of(str(token)))

    return lasting(made[0]), lasting(made[1])


@pytest.fixture
def admin(database: Database) -> Iterator[psycopg.Connection[Any]]:
    """The superuser, who kills and counts."""
    with psycopg.connect(database.admin_url, autocommit=True) as connection:
        yield connection


def play(room: Room, admin: psycopg.Connection[Any], tenants: tuple[TestTenant, TestTenant], how: settings) -> None:
    dispose_engines()
    try:
        run_state_machine_as_test(sessions_in(World(room, admin, tenants)), settings=how)
    finally:
        room.close()


Tenants = tuple[TestTenant, TestTenant]


def test_whoever_reads_sees_its_own_rows_and_finds_nothing_left_behind(
    admin: psycopg.Connection[Any], tenants: Tenants
) -> None:
    play(SyncRoom(), admin, tenants, STEADY)


def test_the_same_on_an_event_loop(admin: psycopg.Connection[Any], tenants: Tenants) -> None:
    play(AsyncRoom(), admin, tenants, settings(STEADY, max_examples=25, stateful_step_count=30))


@pytest.mark.parametrize("room", [SyncRoom, AsyncRoom])
def test_a_leak_is_found_when_discard_all_is_taken_out(
    room: type[SyncRoom | AsyncRoom],
    admin: psycopg.Connection[Any],
    tenants: Tenants,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cleaning, "on_reset", lambda dbapi_connection, record, state: dbapi_connection.rollback())
    monkeypatch.setattr(cleaning, "DISCARD_ALL", ())

    with pytest.raises(AssertionError):
        play(room(), admin, tenants, FINDING)


@pytest.mark.parametrize("room", [SyncRoom, AsyncRoom])
def test_a_leak_is_found_when_the_context_of_each_begin_is_taken_out(
    room: type[SyncRoom | AsyncRoom],
    admin: psycopg.Connection[Any],
    tenants: Tenants,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine, "opening", lambda context, *, one_statement: (("begin", ()),))

    with pytest.raises(NoTenantError):
        play(room(), admin, tenants, FINDING)


def test_a_leak_is_found_when_the_context_is_the_sessions_instead(
    admin: psycopg.Connection[Any], tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What most libraries do: set it when the connection is taken, take it off when it comes back."""
    monkeypatch.setattr(engine, "opening", lambda context, *, one_statement: (("begin", ()),))
    monkeypatch.setattr(cleaning, "on_reset", _take_off)
    monkeypatch.setattr(cleaning, "DISCARD_ALL", ())
    monkeypatch.setattr(machine, "enter", _put_on)

    with pytest.raises(AssertionError):
        play(SyncRoom(), admin, tenants, FINDING)


def _put_on(connection: Connection, context: TenantContext) -> None:
    enter(connection, context)
    driver: Any = connection.connection.driver_connection
    driver.execute("select set_config('partywall.token', %s, false)", (context.token,))


def _take_off(dbapi_connection: Any, record: Any, state: Any) -> None:
    record.driver_connection.execute("select set_config('partywall.token', '', false)")
    dbapi_connection.rollback()
