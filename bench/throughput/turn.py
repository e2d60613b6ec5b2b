"""One turn of one system: a backlog, and how fast its workers get through it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.load.processes import cpu_seconds, resident_mib
from bench.load.request import in_turn
from bench.load.site import Site
from bench.load.system import Processes, System

SKIPPED = 0.1
"""The part of a backlog during which workers open connections and fill caches; it is not timed."""
DRAIN_SECONDS = 240.0


@dataclass(frozen=True, slots=True)
class Turn:
    """What it came to."""

    jobs_per_second: float
    enqueued_per_second: float
    """By the fastest way the system has."""
    wal_bytes_per_job: float
    """From enqueueing to the end."""
    worker_cpu_microseconds_per_job: float
    all_cpu_microseconds_per_job: float
    """Of all that runs: the system's processes, PostgreSQL and the broker."""
    resident_mib_before: float
    """Of the workers, after the part that is not timed."""
    resident_mib_after: float


def take_turn(site: Site, system: System, *, jobs: int, tenants: int) -> Turn:
    """Let a system run so many jobs.

    The backlog is there before any process is started: what is timed is running, not enqueueing.

    Raises:
        NotInTimeError: it did not.
    """
    system.marks.clear()
    requests = in_turn(jobs, tenants=tenants)
    wal = site.wal_bytes()
    began = time.perf_counter()
    system.enqueue_many(requests)
    enqueueing = time.perf_counter() - began
    with system.running() as processes:
        skipped = round(jobs * SKIPPED)
        system.marks.wait_for(skipped, timeout_seconds=DRAIN_SECONDS)
        before, worked, all_worked, done = (
            resident_mib(processes),
            cpu_seconds(processes),
            _all_cpu_seconds(site, processes),
            system.marks.count(),
        )
        system.marks.wait_for(jobs, timeout_seconds=DRAIN_SECONDS)
        after = resident_mib(processes)
        timed = max(1, jobs - done)
        worked, all_worked = cpu_seconds(processes) - worked, _all_cpu_seconds(site, processes) - all_worked
    return Turn(
        jobs_per_second=rate(system.marks.moments(), skipped),
        enqueued_per_second=jobs / enqueueing,
        wal_bytes_per_job=(site.wal_bytes() - wal) / jobs,
        worker_cpu_microseconds_per_job=1e6 * worked / timed,
        all_cpu_microseconds_per_job=1e6 * all_worked / timed,
        resident_mib_before=before,
        resident_mib_after=after,
    )


def _all_cpu_seconds(site: Site, processes: Processes) -> float:
    return cpu_seconds(processes, prefix="") + site.cpu_seconds()


def rate(moments: Sequence[float], skipped: int) -> float:
    """Return how many a second there were from the first that is not skipped to the last; moments are in order."""
    timed = moments[skipped:]
    return (len(timed) - 1) / (timed[-1] - timed[0])
