"""A broker that takes its time: the dispatcher must not take that for its own work, and look again later for it."""

import time
from collections.abc import Sequence
from typing import Any

import pytest

from db.roles import Role
from db.session import platform_connection
from tests.databases import Database
from workers import dispatcher
from workers.arrivals import LOOK_SECONDS, LOOK_SHARE, Arrivals

BROKER_TAKES_SECONDS = 0.5


def test_it_does_not_put_off_the_next_look_at_everything(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse_slowly(connection: Any, dispatched: Sequence[Any]) -> int:
        time.sleep(BROKER_TAKES_SECONDS)
        return 0

    monkeypatch.setattr(dispatcher, "publish_or_undo", refuse_slowly)
    arrivals = Arrivals()
    with platform_connection(Role.DISPATCHER) as connection:
        leader = dispatcher.Dispatcher()
        for _ in range(2):  # the first one plans, too
            arrivals.look_everywhere()
            leader._run_timed(connection, arrivals)

    assert leader.lanes
    assert arrivals._looks_at - time.monotonic() < BROKER_TAKES_SECONDS / LOOK_SHARE / 2
    assert BROKER_TAKES_SECONDS / LOOK_SHARE / 2 > 10 * LOOK_SECONDS
