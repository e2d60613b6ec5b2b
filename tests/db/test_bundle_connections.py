"""What the next job of a bundle finds on the session it shares with the one before: nothing."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, ResourceClosedError

from db import attempts, cleaning
from db.bundle_connections import BundleConnections, bundle_connections
from db.engine import ONE_STATEMENT, TENANT, engine_for
from db.errors import PartywallError
from db.roles import Role
from db.session import become
from tests.databases import Database, TestTenant
from tests.db.leaving import CLEAN, LEFTOVERS, Found, assert_clean, look
from tests.db.test_pooled_connection import BODIES, BodyError, next_user
from tests.db.work import start_one

pytestmark = pytest.mark.usefixtures("pool_of_one", "locks_for_everybody")


def next_job(connections: BundleConnections) -> Found:
    return look(connections.next())


def leave(connection: Connection, tenant: TestTenant, statement: str) -> None:
    options: dict[str, Any] = {TENANT: tenant.context, ONE_STATEMENT: False}
    connection.execution_options(**options)
    connection.execute(text(statement))
    connection.commit()


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.__name__)
def test_nothing_after_any_ending(body: Callable[[Connection], None], acme: TestTenant) -> None:
    attempt = start_one(acme)
    with bundle_connections(Role.WORKER) as connections:
        before = next_job(connections)
        connection = connections.next()
        become(connection, attempt.context)
        attempts.fence(connection)
        with suppress(BodyError, DBAPIError, PartywallError):
            body(connection)

        assert_clean(next_job(connections), backend_pid=before.backend_pid)
    assert_clean(next_user(), backend_pid=before.backend_pid)


@pytest.mark.parametrize("name", LEFTOVERS)
def test_nothing_that_a_statement_can_leave(name: str, acme: TestTenant) -> None:
    with bundle_connections(Role.WORKER) as connections:
        before = next_job(connections)
        leave(connections.next(), acme, LEFTOVERS[name])

        # A session that is cut off by its own time limit while it is rinsed is replaced by another.
        backend_pid = None if name == "a statement timeout" else before.backend_pid
        assert_clean(next_job(connections), backend_pid=backend_pid)


def test_without_the_rinse_it_would_be_left(acme: TestTenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests above can see what they guard against."""
    monkeypatch.setattr(cleaning, "_RINSE", (("select 1", ()),))
    with bundle_connections(Role.WORKER) as connections:
        leave(connections.next(), acme, LEFTOVERS["a setting"])

        assert next_job(connections).state == {**CLEAN, "setting": "yes"}


def test_a_connection_that_a_body_has_kept_is_closed(acme: TestTenant) -> None:
    with bundle_connections(Role.WORKER) as connections:
        kept = connections.next()
        connections.next()

        with pytest.raises(ResourceClosedError):
            kept.execute(text("select 1"))


def test_another_session_where_the_first_was_lost(database: Database) -> None:
    with bundle_connections(Role.WORKER) as connections:
        before = next_job(connections)
        database.do("select pg_terminate_backend(:pid, 5000)", pid=before.backend_pid)
        after = next_job(connections)

        assert after.backend_pid != before.backend_pid
    assert_clean(next_user(), backend_pid=after.backend_pid)


def test_a_session_that_may_not_be_rinsed_is_cleaned_by_the_pool(database: Database, acme: TestTenant) -> None:
    database.do("revoke execute on function pg_advisory_unlock_all() from public, partywall_worker")
    try:
        with bundle_connections(Role.WORKER) as connections:
            before = next_job(connections)
            leave(connections.next(), acme, LEFTOVERS["a setting"])

            assert_clean(next_job(connections), backend_pid=before.backend_pid)
    finally:
        database.do("grant execute on function pg_advisory_unlock_all() to public, partywall_worker")


def test_another_session_where_the_first_was_taken_out_of_the_pool() -> None:
    with bundle_connections(Role.WORKER) as connections:
        connection = connections.next()
        before = look(connection)
        connection.detach()

        assert next_job(connections).backend_pid != before.backend_pid


def test_the_session_is_back_in_the_pool_when_all_have_ended() -> None:
    pool: Any = engine_for(Role.WORKER).pool
    with bundle_connections(Role.WORKER) as connections:
        for _ in range(3):
            connections.next()
        assert pool.checkedout() == 1

    assert (pool.checkedout(), pool.checkedin()) == (0, 1)


@pytest.mark.parametrize(
    "setting", ["set local time zone 'Asia/Tokyo'", "select set_config('timezone', 'Asia/Tokyo', true)"]
)
def test_what_was_planned_under_other_settings_is_planned_again(
    setting: str, database: Database, acme: TestTenant
) -> None:
    """A literal in a function becomes a moment when the function is planned."""
    database.do("""
        create or replace function app.new_year() returns timestamptz language plpgsql
        as $$ begin return timestamptz '2026-01-01'; end $$;
        grant execute on function app.new_year() to partywall_worker
    """)
    first, second = start_one(acme), start_one(acme)
    ask = text("select app.new_year()")
    with bundle_connections(Role.WORKER) as connections:
        before = next_job(connections)
        body = connections.next()
        become(body, first.context)
        attempts.fence(body)
        body.execute(text(setting))
        in_tokyo = body.execute(ask).scalar_one()
        attempts.finish(body, result=None)

        body = connections.next()
        become(body, second.context)
        attempts.fence(body)
        here = body.execute(ask).scalar_one()
        body.rollback()

        assert here - in_tokyo == timedelta(hours=9)
        assert_clean(next_job(connections), backend_pid=before.backend_pid)


def test_a_rinse_that_could_be_undone_counts_for_nothing(acme: TestTenant) -> None:
    with bundle_connections(Role.WORKER) as connections:
        before = next_job(connections)
        connection = connections.next()
        leave(connection, acme, LEFTOVERS["a setting"])
        driver: Any = connection.connection.driver_connection
        driver.autocommit = False

        after = next_job(connections)

        assert_clean(after, backend_pid=None)
        assert after.backend_pid != before.backend_pid
