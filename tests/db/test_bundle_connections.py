"""What the next job of a bundle finds on the session it shares with the one before: nothing."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, ResourceClosedError

from db import attempts, engine
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
    options: dict[str, Any] = {TENANT: acme.context, ONE_STATEMENT: False}
    with bundle_connections(Role.WORKER) as connections:
        before = next_job(connections)
        connection = connections.next()
        connection.execution_options(**options)
        connection.execute(text(LEFTOVERS[name]))
        connection.commit()

        # A session that is cut off by its own time limit while it is rinsed is replaced by another.
        backend_pid = None if name == "a statement timeout" else before.backend_pid
        assert_clean(next_job(connections), backend_pid=backend_pid)


def test_without_the_rinse_it_would_be_left(acme: TestTenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests above can see what they guard against."""
    monkeypatch.setattr(engine, "_RINSE", "select 1")
    options: dict[str, Any] = {TENANT: acme.context, ONE_STATEMENT: False}
    with bundle_connections(Role.WORKER) as connections:
        connection = connections.next()
        connection.execution_options(**options)
        connection.execute(text(LEFTOVERS["a setting"]))
        connection.commit()

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


def test_another_session_where_the_first_cannot_be_rinsed(database: Database) -> None:
    database.do("revoke execute on function pg_advisory_unlock_all() from public, partywall_worker")
    try:
        with bundle_connections(Role.WORKER) as connections:
            before = next_job(connections)
            after = next_job(connections)

            assert_clean(after, backend_pid=None)
            assert after.backend_pid != before.backend_pid
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
