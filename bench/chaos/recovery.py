"""How soon a system under load is back at its rate after PostgreSQL was restarted: with nothing else going wrong."""

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy.exc import DBAPIError

from bench.chaos.database import Database
from bench.chaos.producer import NotAcceptedError
from bench.chaos.work import Request
from db.errors import PartywallError
from tasks.proof.processes import NotInTimeError, wait_until

WINDOW_SECONDS = 5.0
WATCH_SECONDS = 20.0
WARM_UP_SECONDS = 5.0
ENOUGH = 0.95
NEVER_SECONDS = 999.0
MILLISECONDS = 400
"""What each job takes, asleep: all alike, so that a window's rate does not depend on which jobs are in it, and so long
that every process is busy before the machine is. A rate that the machine limits is a neighbour's as much as ours."""
BATCH = 100
BACKLOG = 200

_RATED = """
    select extract(epoch from effects.written_at)::float8 as written_at
    from app.chaos_effects as effects
    inner join partywall.jobs as jobs on effects.tenant_id = jobs.tenant_id and effects.job_id = jobs.id
    where jobs.state = 'succeeded' and effects.written_at > to_timestamp(:since)
    order by written_at
"""
_BACKLOG = "select count(*) from partywall.jobs where state in ('queued', 'dispatched')"


@dataclass
class Recovery:
    """Keeps a backlog of jobs that are all alike, restarts PostgreSQL in the middle, and looks when they ended."""

    database: Database
    enqueue: Callable[[Sequence[Request]], Sequence[UUID]]
    accepted: dict[UUID, Request] = field(default_factory=dict)
    by_second: dict[int, int] = field(default_factory=dict)
    """Effects in each second; the restart begins with second 0."""

    def measure(self) -> dict[str, float]:
        """Return the rates before and after, and how long it took."""
        began = time.time()
        with self._feeding():
            wait_until(self._is_flowing, timeout_seconds=30, what="jobs are running")
            time.sleep(WARM_UP_SECONDS + WINDOW_SECONDS)
            killed_at = time.time()
            self.database.restart()
            ready_at = time.time()
            time.sleep(WATCH_SECONDS)
        # What is left is not counted, but has to be over before its attempts are.
        with suppress(NotInTimeError):  # the verdict will say so
            wait_until(lambda: self._backlog() == 0, timeout_seconds=60, what="the backlog is done")
        written_at = [row.written_at for row in self.database.ask(_RATED, since=began)]
        self.by_second = dict(sorted(Counter(math.floor(moment - killed_at) for moment in written_at).items()))
        return rates(written_at, killed_at, ready_at)

    @contextmanager
    def _feeding(self) -> Iterator[None]:
        over = threading.Event()

        def feed() -> None:
            number = 10_000_000
            while not over.is_set():
                try:
                    if self._backlog() < BACKLOG:
                        batch = [_request(number + each) for each in range(BATCH)]
                        number += BATCH
                        self.accepted |= dict(zip(self.enqueue(batch), batch, strict=True))
                except (DBAPIError, PartywallError, NotAcceptedError):
                    pass  # PostgreSQL is away, as it shall be
                over.wait(0.2)

        feeder = threading.Thread(target=feed, name="feeder")
        feeder.start()
        try:
            yield
        finally:
            over.set()
            feeder.join()

    def _is_flowing(self) -> bool:
        return len(self.database.ask(_RATED, since=time.time() - 1.0)) > 0

    def _backlog(self) -> int:
        return int(self.database.ask(_BACKLOG)[0][0])


def rates(written_at: Sequence[float], killed_at: float, ready_at: float) -> dict[str, float]:
    """Return what the moments of effects say about the window before `killed_at` and those from `ready_at` on."""

    def rate(start: float) -> float:
        return sum(start <= moment < start + WINDOW_SECONDS for moment in written_at) / WINDOW_SECONDS

    before = rate(killed_at - WINDOW_SECONDS)
    last = WATCH_SECONDS - WINDOW_SECONDS
    waits = [step / 4 for step in range(int(last * 4) + 1)]
    enough = [wait for wait in waits if rate(ready_at + wait) >= ENOUGH * before]
    return {
        "jobs_per_second_before_restart": before,
        "jobs_per_second_after_restart": rate(ready_at + WINDOW_SECONDS),
        "postgres_away_seconds": ready_at - killed_at,
        "seconds_until_rate_is_back": enough[0] if enough and before else NEVER_SECONDS,
    }


def _request(number: int) -> Request:
    return Request(
        number=number,
        at_seconds=0.0,
        tenant=number // BATCH % 20,
        task="chaos.writes_and_works",
        milliseconds=MILLISECONDS,
        over_http=False,
    )
