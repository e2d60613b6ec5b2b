"""One turn of one system: a backlog, how fast its workers get through it, and what single jobs wait for afterwards."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.load.processes import cpu_seconds, resident_mib
from bench.load.request import in_turn
from bench.load.site import Site
from bench.load.system import Processes, System
from bench.throughput.idle import waits_when_idle

SKIPPED = 0.1
"""The part of a backlog during which workers open connections and fill caches; it is not timed."""
DRAIN_SECONDS = 240.0


@dataclass(frozen=True, slots=True)
class Turn:
    """What it came to."""

    jobs_per_second: float
    accepted_per_second: float
    """One by one."""
    wal_bytes_per_job: float
    """From enqueueing to the end."""
    worker_cpu_microseconds_per_job: float
    all_cpu_microseconds_per_job: float
    """Of all that runs: the system's processes, PostgreSQL and the broker."""
    resident_mib_before: float
    """Of the workers, after the part that is not timed."""
    resident_mib_after: float
    idle_milliseconds: Sequence[float]
    """What each single job waited for."""


def take_turn(site: Site, system: System, *, jobs: int, singles: int, tenants: int) -> Turn:
    """Let a system run so many jobs, of which `singles` were accepted one by one, and then as many one at a time.

    The backlog is there before any process is started: what is timed is running, not enqueueing.

    Raises:
        NotInTimeError: it did not.
    """
    system.marks.clear()
    requests = in_turn(jobs, tenants=tenants)
    wal = site.wal_bytes()
    began = time.perf_counter()
    for request in requests[:singles]:
        system.enqueue(request)
    accepting = time.perf_counter() - began
    system.enqueue_many(requests[singles:])
    with system.running() as processes:
        skipped = round(jobs * SKIPPED)
        system.marks.wait_for(skipped, timeout_seconds=DRAIN_SECONDS)
        before, done = resident_mib(processes), system.marks.count()
        worked, all_worked = cpu_seconds(processes), _all_cpu_seconds(site, processes)
        system.marks.wait_for(jobs, timeout_seconds=DRAIN_SECONDS)
        worked, all_worked = cpu_seconds(processes) - worked, _all_cpu_seconds(site, processes) - all_worked
        after, timed, wal = resident_mib(processes), max(1, jobs - done), site.wal_bytes() - wal
        moments = system.marks.moments()
        waits = waits_when_idle(system, jobs=singles, tenants=tenants)
    return Turn(
        jobs_per_second=rate(moments, skipped),
        accepted_per_second=singles / accepting,
        wal_bytes_per_job=wal / jobs,
        worker_cpu_microseconds_per_job=1e6 * worked / timed,
        all_cpu_microseconds_per_job=1e6 * all_worked / timed,
        resident_mib_before=before,
        resident_mib_after=after,
        idle_milliseconds=waits,
    )


def rate(moments: Sequence[float], skipped: int) -> float:
    """Return how many a second there were from the first that is not skipped to the last; moments are in order."""
    timed = moments[skipped:]
    return (len(timed) - 1) / (timed[-1] - timed[0])


def _all_cpu_seconds(site: Site, processes: Processes) -> float:
    return cpu_seconds(processes, prefix="") + site.cpu_seconds()
