"""What the next user of a pooled connection finds: nothing, whatever the one before did."""

import os
import resource
from collections.abc import Callable
from typing import Any

import pytest
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from db import attempts, cleaning, engine
from db.errors import PartywallError
from db.roles import Role
from db.session import platform_connection, tenant_session
from tests.databases import Database, TestTenant
from tests.db.leaving import LEFTOVERS, Found, assert_clean, look
from tests.db.work import body_of, start_one

pytestmark = pytest.mark.usefixtures("pool_of_one", "locks_for_everybody")


class BodyError(Exception):
    """What a body raises."""


def next_user() -> Found:
    with platform_connection(Role.WORKER) as connection:
        return look(connection)


def succeed(connection: Connection) -> None:
    connection.execute(text("select partywall.current_tenant_id()"))
    attempts.finish(connection, result=None)


def raise_error(connection: Connection) -> None:
    connection.execute(text("select partywall.current_tenant_id()"))
    raise BodyError


def commit_halfway_and_raise(connection: Connection) -> None:
    connection.execute(text("select partywall.current_tenant_id()"))
    connection.commit()
    connection.execute(text("select partywall.current_tenant_id()"))
    raise BodyError


def roll_back(connection: Connection) -> None:
    connection.execute(text("select partywall.current_tenant_id()"))
    connection.rollback()


def begin_and_say_nothing(connection: Connection) -> None:
    connection.begin()


def break_a_statement(connection: Connection) -> None:
    connection.execute(text("select partywall.current_tenant_id()"))
    connection.execute(text("select 1 / 0"))


def break_the_first_statement(connection: Connection) -> None:
    connection.execute(text("select 1 / 0"))


def end_in_a_savepoint(connection: Connection) -> None:
    connection.begin_nested()
    connection.execute(text("select partywall.current_tenant_id()"))


def lose_the_lease(connection: Connection) -> None:
    connection.execute(text("select partywall.current_tenant_id()"))
    attempts.finish(connection, result=None)
    connection.execute(text("select partywall.current_tenant_id()"))
    connection.commit()


def try_to_commit_in_sql(connection: Connection) -> None:
    connection.execute(text("select partywall.current_tenant_id()"))
    connection.execute(text("commit"))


def leave_an_open_cursor(connection: Connection) -> None:
    connection.execute(text("declare left_behind cursor for select generate_series(1, 100000)"))
    connection.execute(text("fetch left_behind"))


BODIES = [
    succeed,
    raise_error,
    commit_halfway_and_raise,
    roll_back,
    begin_and_say_nothing,
    break_a_statement,
    break_the_first_statement,
    end_in_a_savepoint,
    lose_the_lease,
    try_to_commit_in_sql,
    leave_an_open_cursor,
]


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.__name__)
def test_nothing_after_any_ending(body: Callable[[Connection], None], acme: TestTenant) -> None:
    attempt = start_one(acme)
    before = next_user()
    try:
        with body_of(attempt) as connection:
            body(connection)
    except (BodyError, DBAPIError, PartywallError):
        pass

    assert_clean(next_user(), backend_pid=before.backend_pid)


@pytest.mark.parametrize("ending", ["commit", "rollback", "close"])
def test_nothing_that_a_statement_can_leave(ending: str, acme: TestTenant) -> None:
    before = next_user()
    options: dict[str, Any] = {engine.TENANT: acme.context, engine.ONE_STATEMENT: False}
    for statement in LEFTOVERS.values():
        with platform_connection(Role.WORKER) as connection:
            connection.execution_options(**options)
            connection.execute(text(statement))
            getattr(connection, ending)()

        assert_clean(next_user(), backend_pid=before.backend_pid)


def test_no_notification_that_the_one_before_asked_for(acme: TestTenant) -> None:
    before = next_user()
    with tenant_session(acme.context, role=Role.WORKER) as session:
        session.execute(text("listen left_behind"))
        session.execute(text("select pg_notify('left_behind', 'secret')"))

    assert_clean(next_user(), backend_pid=before.backend_pid)


def test_a_temporary_table_is_refused(acme: TestTenant) -> None:
    with (
        pytest.raises(ProgrammingError) as refusal,
        tenant_session(acme.context, role=Role.WORKER) as session,
    ):
        session.execute(text("create temporary table left_behind (body text)"))

    assert isinstance(refusal.value.orig, InsufficientPrivilege)


def test_a_new_connection_after_its_backend_was_killed(database: Database, acme: TestTenant) -> None:
    attempt = start_one(acme)
    before = next_user()
    with pytest.raises(DBAPIError), body_of(attempt) as connection:
        connection.execute(text("set partywall.left_behind = 'yes'"))
        database.do("select pg_terminate_backend(:pid)", pid=before.backend_pid)
        connection.execute(text("select 1"))

    after = next_user()
    assert after.backend_pid != before.backend_pid
    assert_clean(after, backend_pid=None)


def test_a_new_connection_when_the_idle_one_was_killed(database: Database) -> None:
    before = next_user()
    database.do("select pg_terminate_backend(:pid, 5000)", pid=before.backend_pid)

    after = next_user()

    assert after.backend_pid != before.backend_pid


def test_without_the_reset_everything_would_be_left(acme: TestTenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests above can see what they guard against."""
    monkeypatch.setattr(cleaning, "on_reset", lambda dbapi_connection, record, state: dbapi_connection.rollback())
    monkeypatch.setattr(cleaning, "DISCARD_ALL", ())
    engine.dispose_engines()
    for name, statement in LEFTOVERS.items():
        if name in ("a statement timeout", "read only", "a role"):
            continue
        with tenant_session(acme.context, role=Role.WORKER) as session:
            session.execute(text(statement))

    left = next_user()

    assert (left.state["setting"], left.state["token"]) == ("yes", acme.context.token)
    assert (left.state["row_security"], left.state["search_path"], left.state["escaping"]) == ("off", "public", "off")
    assert [left.state[each] for each in ("listeners", "locks", "cursors", "prepared")] == [1, 1, 1, 1]


def test_a_process_with_thousands_of_open_files_can_still_look_at_its_connections(database: Database) -> None:
    """select(2) looks at file descriptors below 1024 only; a busy API has more sockets than that."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(2048, hard), hard))
    descriptors = [os.open(os.devnull, os.O_RDONLY)]
    try:
        while descriptors[-1] < 1100:
            descriptors.append(os.dup(descriptors[0]))
        with platform_connection(Role.WORKER) as connection:
            driver: Any = connection.connection.driver_connection
            assert driver.fileno() > 1024
        assert_clean(next_user(), backend_pid=None)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
        engine.dispose_engines()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
