"""An exception out of a signal handler, as a time limit raises it, at any moment of a body."""

import random
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

import pytest
from sqlalchemy import Connection, text

from db import attempts
from db.engine import engine_for
from db.roles import Role
from db.session import platform_connection
from tests.databases import TestTenant
from tests.db.work import body_of, start_one

pytestmark = pytest.mark.usefixtures("pool_of_one")


class TimeLimitError(Exception):
    """What the handler raises."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeLimitError in the block after `seconds`, wherever it is then."""

    def strike(number: int, frame: FrameType | None) -> None:
        raise TimeLimitError

    before = signal.signal(signal.SIGALRM, strike)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def backend(connection: Connection) -> int:
    return int(connection.execute(text("select pg_backend_pid()")).scalar_one())


def first_statement(connection: Connection) -> None:
    connection.execute(text("select pg_sleep(10)"))


def later_statement(connection: Connection) -> None:
    connection.execute(text("select 1"))
    connection.execute(text("select pg_sleep(10)"))


def many_statements(connection: Connection) -> None:
    connection.execute(text("select pg_sleep(:seconds)"), [{"seconds": 0.02}] * 500)


def server_side_cursor(connection: Connection) -> None:
    rows = connection.execution_options(stream_results=True, max_row_buffer=1).execute(
        text("select pg_sleep(0.01), repeat('x', 10000) from generate_series(1, 1000)")
    )
    for _ in rows:
        pass


BODIES = [first_statement, later_statement, many_statements, server_side_cursor]


@pytest.mark.parametrize("body", BODIES)
def test_the_connection_survives_and_carries_nothing(body: Callable[[Connection], None], acme: TestTenant) -> None:
    attempt = start_one(acme)

    with pytest.raises(TimeLimitError), body_of(attempt) as connection:
        before = backend(connection)
        connection.rollback()
        with time_limit(0.2):
            body(connection)

    with platform_connection(Role.WORKER) as connection:
        assert backend(connection) == before
        left = connection.execute(text("select current_setting('partywall.token', true)")).scalar_one()
        assert left in (None, "")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # struck inside a destructor
@pytest.mark.usefixtures("locks_for_everybody")
def test_whenever_it_strikes_the_next_user_finds_a_clean_connection(acme: TestTenant) -> None:
    chance = random.Random(20240229)
    attempt = start_one(acme, lease_seconds=600)

    for _ in range(150):
        seconds = chance.uniform(0.0001, 0.008)
        # Struck inside a destructor or in the middle of SQLAlchemy's own bookkeeping, the exception is lost or becomes
        # another one. So the body ends by itself, and whatever it raises is as good as the time limit.
        with body_of(attempt) as connection:
            with suppress(Exception), time_limit(seconds):
                for _ in range(50):
                    connection.execute(text("select partywall.current_tenant_id()"))
                    connection.execute(text("select set_config('partywall.left_behind', 'yes', false)"))
                    connection.execute(text("select pg_advisory_lock(7)"))
                    connection.commit()
            attempts.abandon(connection)
            assert connection.execute(text("select partywall.current_tenant_id()")).scalar_one() == acme.id
        with platform_connection(Role.WORKER) as connection:
            found = connection.execute(
                text("""
                    select
                        current_setting('partywall.left_behind', true) as setting,
                        current_setting('partywall.token', true) as token,
                        (select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()) as locks
                """)
            ).one()
        assert (found.setting or "", found.token or "", found.locks) == ("", "", 0)
    assert engine_for(Role.WORKER).pool.checkedout() == 0  # type: ignore[attr-defined]
