"""No limit is exceeded, whoever counts and dispatches at the same moment."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from queue import Empty, Queue

import psycopg
import pytest

from db.dispatching import Dispatched
from db.roles import Role
from tests.databases import Database, TestTenant
from tests.db.limiting import enqueue_some, limit, limit_running
from tests.db.work import dispatch_all, enqueue_one, finish_all

DISPATCH = "select * from partywall.dispatch(array[%s], null, null, 100, 100, interval '1 minute')"
IN_FLIGHT = """
    select count(*), count(*) filter (where task_name = 'notes.read'), count(*) filter (where queue = 'slow')
    from partywall.jobs
    where tenant_id = %s and state in ('dispatched', 'running')
"""
QUEUES = ("default", "slow")


def test_whoever_dispatches_another_lane_waits_for_the_first(database: Database, acme: TestTenant) -> None:
    """Else both would count what is in flight before either has dispatched."""
    limit(acme, max_running=3)
    for queue in QUEUES:
        enqueue_some(acme, 3, queue=queue)
    url = database.url(Role.DISPATCHER)

    with psycopg.connect(url) as first, psycopg.connect(url, options="-c lock_timeout=1s") as second:
        assert len(first.execute(DISPATCH, ("default",)).fetchall()) == 3
        with pytest.raises(psycopg.errors.LockNotAvailable):
            second.execute(DISPATCH, ("slow",))
        second.rollback()
        first.commit()

        assert second.execute(DISPATCH, ("slow",)).fetchall() == []


class Site:
    """Two dispatchers for each of two lanes and as many workers, on the jobs of one tenant, until all are done."""

    def __init__(self, jobs: int) -> None:
        self._left = jobs
        self._lock = threading.Lock()
        self._messages: Queue[Dispatched] = Queue()
        self.is_done = threading.Event()

    def dispatch(self, queue: str) -> None:
        while not self.is_done.is_set():
            for message in dispatch_all(queue, batch_limit=5):
                self._messages.put(message)

    def work(self) -> None:
        while not self.is_done.is_set():
            try:
                message = self._messages.get(timeout=0.1)
            except Empty:
                continue
            finish_all([message])
            with self._lock:
                self._left -= 1
                if self._left == 0:
                    self.is_done.set()


@contextmanager
def looking_on(database: Database, tenant: TestTenant, until: threading.Event) -> Iterator[list[tuple[int, ...]]]:
    """Count what is in flight over and over; what was seen is complete when the block has ended."""
    seen: list[tuple[int, ...]] = []

    def look() -> None:
        with psycopg.connect(database.admin_url, autocommit=True) as connection:
            while not until.is_set():
                seen.extend(connection.execute(IN_FLIGHT, (tenant.id,)).fetchall())

    with ThreadPoolExecutor(1) as thread:
        looking = thread.submit(look)
        try:
            yield seen
        finally:
            until.set()
            looking.result(timeout=60)


def test_limits_hold_while_dispatchers_and_workers_race(database: Database, acme: TestTenant) -> None:
    limit(acme, max_running=4)
    limit_running(acme, "task", "notes.read", 2)
    limit_running(acme, "queue", "slow", 3)
    for number in range(60):
        enqueue_one(acme, task_name=("notes.read", "notes.write")[number % 2], queue=QUEUES[number % 4 // 2])
    site = Site(jobs=60)

    with looking_on(database, acme, site.is_done) as seen, ThreadPoolExecutor(8) as threads:
        running = [threads.submit(site.dispatch, queue) for queue in QUEUES * 2]
        running += [threads.submit(site.work) for _ in range(4)]
        for each in running:
            each.result(timeout=120)

    assert database.ask("select state, count(*) from partywall.jobs group by state") == [("succeeded", 60)]
    most = [max(column) for column in zip(*seen, strict=True)]
    assert most[0] == 4
    assert most[1] <= 2
    assert most[2] <= 3
