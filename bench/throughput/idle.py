"""How long a job waits on a system that has nothing else to do."""

import random
import statistics
import time
from collections.abc import Sequence
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


def waits_when_idle(system: System, *, jobs: int, tenants: int) -> list[float]:
    """Return what each of so many jobs waited for, in milliseconds, one at a time, on a system that runs and is done.

    Raises:
        NotInTimeError: one was not run.
    """
    pauses = random.Random(1)
    done = system.marks.count()
    accepted: dict[int, float] = {}
    for request in in_turn(jobs, tenants=tenants, first=done):
        time.sleep(pauses.uniform(*BETWEEN_SECONDS))
        system.enqueue(request)
        accepted[request.number] = time.time()
        wait_until(
            lambda: system.marks.count() == done + len(accepted), timeout_seconds=READY_SECONDS, what="its row is there"
        )
    starts = system.marks.starts()
    return [1000 * (starts[number] - moment) for number, moment in accepted.items()]


def latency_of(milliseconds: Sequence[float]) -> Latency:
    """Return the percentiles of waits, two of them at least."""
    cuts = statistics.quantiles(milliseconds, n=100, method="inclusive")
    return Latency(p50=cuts[49], p95=cuts[94], p99=cuts[98])
