"""A session is cleaned in the round trip of its last COMMIT, and again where anything happened since."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, text

from db import attempts, cleaning, jobs
from db.attempts import Attempt
from db.bundle_connections import BundleConnections, bundle_connections
from db.errors import LeaseLostError
from db.roles import Role
from db.session import become, tenant_session
from tests.databases import Database, TestTenant
from tests.db.leaving import CLEAN, LEFTOVERS, assert_clean, look
from tests.db.work import start_one

pytestmark = pytest.mark.usefixtures("pool_of_one", "locks_for_everybody")

HINDRANCES = ("a statement timeout", "row security off", "read only")
"""With these a body's outcome is refused."""
END_ITSELF = (("select pg_terminate_backend(pg_backend_pid())", ()),)


@pytest.fixture
def ending_itself(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Instead of rinsing a session, end it; until `undo()`."""
    database.do("grant execute on function pg_terminate_backend(integer, bigint) to partywall_worker")
    monkeypatch.setattr(cleaning, "_RINSE", END_ITSELF)
    yield monkeypatch
    database.do("revoke execute on function pg_terminate_backend(integer, bigint) from partywall_worker")


@pytest.fixture
def connections() -> Iterator[BundleConnections]:
    """Of a message's jobs, ready to use: the first one has looked around."""
    with bundle_connections(Role.WORKER) as connections:
        look(connections.next())
        yield connections


@pytest.fixture
def sent(connections: BundleConnections) -> Iterator[list[str]]:
    """The texts that were sent to clean a session afterwards."""
    texts: list[str] = []
    original = cleaning._send_to_clean

    def listening(dbapi_connection: Any, statement: str) -> None:
        texts.append(statement)
        original(dbapi_connection, statement)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cleaning, "_send_to_clean", listening)
        yield texts


def enter(connections: BundleConnections, attempt: Attempt) -> Connection:
    connection = connections.next()
    become(connection, attempt.context)
    attempts.fence(connection)
    return connection


@pytest.mark.parametrize("name", [each for each in LEFTOVERS if each not in HINDRANCES])
def test_what_a_body_left_is_gone_with_its_commit(
    name: str, acme: TestTenant, connections: BundleConnections, sent: list[str]
) -> None:
    connection = enter(connections, start_one(acme))
    connection.execute(text(LEFTOVERS[name]))
    del sent[:]
    attempts.finish(connection, result=None, is_last=False)

    assert look(connections.next()).state == CLEAN
    assert sent == []


def test_the_last_ones_session_goes_to_the_pool_as_it_is(
    acme: TestTenant, connections: BundleConnections, sent: list[str]
) -> None:
    connection = enter(connections, start_one(acme))
    connection.execute(text(LEFTOVERS["a setting"]))
    del sent[:]
    attempts.finish(connection, result=None)
    connections.close()

    assert sent == []
    assert look(connections.next()).state == CLEAN


def test_a_rinse_is_not_enough_for_the_pool(acme: TestTenant, connections: BundleConnections, sent: list[str]) -> None:
    attempts.finish(enter(connections, start_one(acme)), result=None, is_last=False)
    del sent[:]
    connections.close()

    assert sent == ["discard all"]


@pytest.mark.parametrize("is_last", [True, False])
def test_what_is_said_after_the_commit_is_cleaned_up_too(
    is_last: bool, acme: TestTenant, connections: BundleConnections, sent: list[str]
) -> None:
    connection = enter(connections, start_one(acme))
    attempts.finish(connection, result=None, is_last=is_last)
    driver: Any = connection.connection.driver_connection
    del sent[:]
    driver.execute("select pg_advisory_lock(42)")

    assert look(connections.next()).state == CLEAN
    assert len(sent) == 1


def test_what_is_said_past_psycopg_would_be_found(
    acme: TestTenant, connections: BundleConnections, sent: list[str]
) -> None:
    """The test above can see what it guards against: this is what Python code of the process could do anyway."""
    connection = enter(connections, start_one(acme))
    attempts.finish(connection, result=None, is_last=False)
    driver: Any = connection.connection.driver_connection
    driver.pgconn.exec_(b"select pg_advisory_lock(42)")

    assert look(connections.next()).state == {**CLEAN, "locks": 1}


def test_where_it_is_refused_the_commit_stands_and_the_pool_cleans(
    database: Database, acme: TestTenant, connections: BundleConnections, sent: list[str]
) -> None:
    attempt = start_one(acme)
    connection = enter(connections, attempt)
    connection.execute(text(LEFTOVERS["a setting"]))
    database.do("revoke execute on function pg_advisory_unlock_all() from public, partywall_worker")
    try:
        attempts.finish(connection, result=None, is_last=False)
        assert look(connections.next()).state == CLEAN
    finally:
        database.do("grant execute on function pg_advisory_unlock_all() to public, partywall_worker")

    assert_state(acme, attempt, "succeeded")


def test_where_the_session_is_lost_behind_it_the_commit_stands(
    acme: TestTenant, ending_itself: pytest.MonkeyPatch
) -> None:
    attempt = start_one(acme)
    with bundle_connections(Role.WORKER) as connections:
        connection = enter(connections, attempt)
        before = look(connection)
        attempts.finish(connection, result={"rows": 1}, is_last=False)
        ending_itself.undo()

        after = look(connections.next())
        assert_clean(after, backend_pid=None)
        assert after.backend_pid != before.backend_pid
    assert_state(acme, attempt, "succeeded")


def test_nothing_is_cleaned_behind_a_commit_that_is_refused(
    database: Database, acme: TestTenant, ending_itself: pytest.MonkeyPatch
) -> None:
    attempt = start_one(acme)
    with bundle_connections(Role.WORKER) as connections:
        connection = enter(connections, attempt)
        before = look(connection)
        database.do("update partywall.jobs set attempt = attempt + 1 where id = :id", id=attempt.job_id)
        with pytest.raises(LeaseLostError):
            attempts.finish(connection, result=None, is_last=False)
        ending_itself.undo()

        assert_clean(look(connections.next()), backend_pid=before.backend_pid)


def test_where_it_is_refused_at_its_end_the_commit_stands_and_another_session_goes_on(
    database: Database, acme: TestTenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was begun by no BEGIN ends with the pipeline, and may be refused there."""
    database.do("create table app.twice (n integer unique deferrable initially deferred)")
    database.do("grant insert on app.twice to partywall_worker")
    attempt = start_one(acme)
    with bundle_connections(Role.WORKER) as connections:
        connection = enter(connections, attempt)
        connection.execute(text(LEFTOVERS["a setting"]))
        monkeypatch.setattr(cleaning, "_RINSE_PLANS", (("insert into app.twice values (1), (1)", ()),))
        attempts.finish(connection, result=None, is_last=False)
        monkeypatch.undo()

        assert look(connections.next()).state == CLEAN
    database.do("drop table app.twice")
    assert_state(acme, attempt, "succeeded")


def test_a_failure_after_it_is_cleaned_as_every_other(acme: TestTenant, connections: BundleConnections) -> None:
    attempt = start_one(acme)
    connection = enter(connections, attempt)
    connection.execute(text(LEFTOVERS["a setting"]))
    attempts.abandon(connection)
    attempts.fail(connection, error=None, retry_after_seconds=None)

    assert look(connections.next()).state == CLEAN
    assert_state(acme, attempt, "failed")


def assert_state(tenant: TestTenant, attempt: Attempt, state: str) -> None:
    with tenant_session(tenant.context, role=Role.API) as session:
        assert jobs.get_job(session, attempt.job_id).state == state
