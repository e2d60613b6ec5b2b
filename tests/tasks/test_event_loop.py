"""The loop that async bodies run on: one per process, and whoever waits for it can be interrupted."""

import asyncio
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import FrameType

import pytest
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.util.concurrency import await_

from db.roles import Role
from db.session import platform_connection
from tasks import AsyncJob, task
from tasks.errors import LoopBlockedError
from tasks.event_loop import close_loop, run_on_loop
from tests.databases import Database, TestTenant
from tests.db.test_fork import in_child
from tests.tasks.inline import run_job
from tests.waiting import wait_until


@pytest.fixture(autouse=True)
def _own_loop() -> Iterator[None]:
    """No loop, and none of its connections, from one test to the next."""
    yield
    close_loop()


def backend() -> int:
    with platform_connection(Role.WORKER) as connection:
        pid: int = connection.execute(text("select pg_backend_pid()")).scalar_one()
        return pid


class InterruptedByTestError(Exception):
    """What a signal handler raises."""


class Nothing(BaseModel):
    """An empty payload."""


@task("tests.async_adds", max_attempts=1)
async def adds(job: AsyncJob, payload: list[int]) -> int:
    """Let PostgreSQL add."""
    return int(await job.session.scalar(text("select sum(n) from unnest(:numbers) as n"), {"numbers": payload}))


def test_an_async_body_runs_like_any_other(database: Database, acme: TestTenant) -> None:
    job = run_job(acme, adds, [1, 2, 39])

    assert (job.state, job.result) == ("succeeded", 42)


def test_what_an_ordinary_function_asks_of_the_database_is_left_to_the_loop(database: Database) -> None:
    assert run_on_loop(backend) == run_on_loop(backend)
    assert run_on_loop(backend) != backend()


def test_many_threads_wait_for_one_loop(database: Database) -> None:
    def sleep() -> int:
        with platform_connection(Role.WORKER) as connection:
            connection.execute(text("select pg_sleep(0.3)"))
        return threading.get_ident()

    began = time.monotonic()
    with ThreadPoolExecutor(8) as threads:
        loops = set(threads.map(lambda _: run_on_loop(sleep), range(8)))

    assert len(loops) == 1
    assert time.monotonic() - began < 8 * 0.3


def test_an_interrupted_wait_ends_the_work_before_it_goes_on(database: Database) -> None:
    ended = []

    def work() -> None:
        try:
            with platform_connection(Role.WORKER) as connection:
                connection.execute(text("select pg_sleep(20)"))
        finally:
            ended.append(True)

    def strike(number: int, frame: FrameType | None) -> None:
        raise InterruptedByTestError

    before = signal.signal(signal.SIGALRM, strike)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    try:
        with pytest.raises(InterruptedByTestError):
            run_on_loop(work)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

    assert ended == [True]
    assert database.ask("select 1 from pg_stat_activity where query like '%pg_sleep(20)' and state = 'active'") == []


def test_the_loop_cannot_wait_for_itself() -> None:
    with pytest.raises(LoopBlockedError):
        run_on_loop(lambda: run_on_loop(lambda: None))


def test_an_error_reaches_who_waits() -> None:
    with pytest.raises(ZeroDivisionError):
        run_on_loop(lambda: 1 // 0)


def test_a_callback_that_exits_does_not_end_the_loop(database: Database) -> None:
    exited = threading.Event()

    def leave() -> None:
        exited.set()
        sys.exit(3)

    async def leave_soon() -> None:
        asyncio.get_running_loop().call_soon(leave)

    run_on_loop(lambda: await_(leave_soon()))
    wait_until(exited.is_set, timeout_seconds=10)

    assert run_on_loop(lambda: "still there") == "still there"


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_makes_a_loop_of_its_own(database: Database) -> None:
    before = run_on_loop(backend)

    assert in_child(lambda: run_on_loop(backend)) != before
    assert run_on_loop(backend) == before


def test_a_closed_loop_has_let_go_of_its_connections(database: Database) -> None:
    pid = run_on_loop(backend)
    close_loop()

    wait_until(lambda: not database.ask("select 1 from pg_stat_activity where pid = :pid", pid=pid), timeout_seconds=10)
