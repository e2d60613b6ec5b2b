"""Whether a worker's memory grows with what it has run."""

import statistics
from typing import Any

from bench.fairness.sizes import Sizes
from bench.load.partywall import Partywall
from bench.load.processes import resident_mib
from bench.load.site import running_site
from bench.load.system import Processes
from bench.progress import say
from tasks.proof.processes import wait_until

TENANTS = 20
RUN_SECONDS = 3600.0
LOOK_SECONDS = 0.5
WARM_UP = 0.1
"""The part of the jobs that may leave caches filled."""
TWENTIETH = 0.05


def measure(sizes: Sizes) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Return by how much the resident memory of one worker grew, its one child never replaced."""
    samples: list[tuple[int, float]] = []
    with running_site() as site:
        # Production replaces a child after a thousand messages, which would hide what is looked for.
        for_ever = f"--max-tasks-per-child={sizes.memory_jobs + 1}"
        system = Partywall(site, tenants=TENANTS, workers=1, worker_options=[for_ever])
        each = sizes.memory_jobs // TENANTS
        for tenant in range(TENANTS):
            system.pile_up(tenant, each, first=tenant * each)
        with system.running() as processes:

            def is_over() -> bool:
                samples.append(_sample(system, processes))
                return samples[-1][0] >= each * TENANTS

            wait_until(is_over, timeout_seconds=RUN_SECONDS, look_seconds=LOOK_SECONDS, what="all ran")
    warm, last = early_and_late(samples, each * TENANTS)
    say(f"{warm:.1f} MiB after warm-up, {last:.1f} at the end")
    step = max(1, len(samples) // 10)
    return {"worker_memory_growth": last / warm - 1, "worker_mib": last}, [
        {"jobs run": done, "MiB": mib} for done, mib in samples[::step]
    ]


def early_and_late(samples: list[tuple[int, float]], jobs: int) -> tuple[float, float]:
    """Return the median after the warm-up and at the end, each over a twentieth of the jobs."""
    warm = [mib for done, mib in samples if WARM_UP <= done / jobs <= WARM_UP + TWENTIETH]
    last = [mib for done, mib in samples if done / jobs >= 1 - TWENTIETH]
    return statistics.median(warm or [samples[0][1]]), statistics.median(last)


def _sample(system: Partywall, processes: Processes) -> tuple[int, float]:
    return system.marks.count(), resident_mib(processes)
