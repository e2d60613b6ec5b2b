"""The watchdog ends the body it was set on, and no other."""

import threading
import time
from collections.abc import Callable

import pytest
from celery.exceptions import SoftTimeLimitExceeded

from db.roles import Role
from db.session import platform_connection
from tasks import time_limit
from tasks.stopping import Stop
from tasks.time_limit import run_within
from tests.databases import Database
from tests.waiting import wait_until


def busy(seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        sum(range(100))


def in_a_thread(work: Callable[[], None]) -> None:
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - handed to the test
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(timeout=30)
    if raised:
        raise raised[0]


@pytest.fixture(autouse=True)
def _watched_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process whose limits Celery cannot enforce, and impatient."""
    monkeypatch.setattr(time_limit, "_signalled_by_celery", False)
    monkeypatch.setattr(time_limit, "BARK_AGAIN_SECONDS", 0.01)


def watchdogs() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "soft-time-limit"]


def test_a_body_over_its_time_is_ended(database: Database) -> None:
    def work() -> None:
        with platform_connection(Role.WORKER) as connection:
            run_within(0.05, connection, Stop(), lambda: busy(20))

    with pytest.raises(SoftTimeLimitExceeded):
        in_a_thread(work)


def test_the_bodies_after_one_that_ran_late_are_left_alone(database: Database) -> None:
    survived = []

    def work() -> None:
        with platform_connection(Role.WORKER) as connection:
            for _ in range(40):
                with pytest.raises(SoftTimeLimitExceeded):
                    run_within(0.005, connection, Stop(), lambda: busy(20))
                run_within(30, connection, Stop(), lambda: busy(0.02))
                survived.append(True)

    in_a_thread(work)

    assert len(survived) == 40
    wait_until(lambda: not watchdogs(), timeout_seconds=10)
