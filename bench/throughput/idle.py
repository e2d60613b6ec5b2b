"""How fast jobs are accepted one by one, and how long one waits on a system that has nothing else to do."""

import random
import statistics
import time
from dataclasses import dataclass

from bench.load.request import in_turn
from bench.load.system import System
from tasks.proof.processes import wait_until

READY_SECONDS = 120.0
BETWEEN_SECONDS = (0.02, 0.12)
"""By chance, so that no system is asked in step with its own clock."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from when the producer knew that the job is accepted to when its body began."""

    p50: float
    p95: float
    p99: float


@dataclass(frozen=True, slots=True)
class OneByOne:
    """What a producer sees that has one job at a time."""

    accepted_per_second: float
    latency: Latency


def one_by_one(system: System, *, jobs: int, tenants: int) -> OneByOne:
    """Return how fast `jobs` are accepted while nothing runs, and what as many others wait for, one at a time.

    Raises:
        NotInTimeError: one was not run.
    """
    system.marks.clear()
    began = time.perf_counter()
    for request in in_turn(jobs, tenants=tenants):
        system.enqueue(request)
    accepting = time.perf_counter() - began

    pauses = random.Random(1)
    accepted: dict[int, float] = {}
    with system.running():
        system.marks.wait_for(jobs, timeout_seconds=READY_SECONDS)
        for request in in_turn(jobs, tenants=tenants, first=jobs):
            time.sleep(pauses.uniform(*BETWEEN_SECONDS))
            system.enqueue(request)
            accepted[request.number] = time.time()
            wait_until(
                lambda: system.marks.count() == jobs + len(accepted), timeout_seconds=READY_SECONDS, what="its row"
            )
    starts = system.marks.starts()
    return OneByOne(
        accepted_per_second=jobs / accepting,
        latency=latency_of([1000 * (starts[number] - moment) for number, moment in accepted.items()]),
    )


def latency_of(milliseconds: list[float]) -> Latency:
    """Return the percentiles of waits, two of them at least."""
    cuts = statistics.quantiles(milliseconds, n=100, method="inclusive")
    return Latency(p50=cuts[49], p95=cuts[94], p99=cuts[98])
