"""What dispatching a job costs, with few tenants and jobs and with many."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psutil

from bench.fairness.sizes import Sizes
from bench.load.partywall import Partywall
from bench.load.processes import cpu_seconds, resident_mib
from bench.load.site import Site, running_site
from bench.load.system import Processes
from bench.progress import say
from bench.sampling import ran_and_waited

WARM_UP = 0.25
"""So much of what is timed runs before, not timed."""
RUN_SECONDS = 900.0
DISPATCHER = "dispatcher"


@dataclass(frozen=True, slots=True)
class Cost:
    """What one dispatched job costs, in microseconds of a processor, and what memory the dispatcher has."""

    process: float
    backend: float
    mib_before: float
    mib_after: float

    @property
    def total(self) -> float:
        """At both ends of its connections."""
        return self.process + self.backend

    def shown(self) -> dict[str, float]:
        """Return the cells of a row."""
        return {
            "µs": self.total,
            "of them backend": self.backend,
            "MiB": self.mib_before,
            "MiB after": self.mib_after,
        }


def measure(sizes: Sizes) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Return the figures, and a row for either backlog."""
    few = _cost(sizes.few_tenants, sizes.few_jobs, sizes.dispatch_jobs)
    many = _cost(sizes.many_tenants, sizes.many_jobs, sizes.dispatch_jobs)
    rows = [
        {"tenants": sizes.few_tenants, "jobs": sizes.few_jobs, **few.shown()},
        {"tenants": sizes.many_tenants, "jobs": sizes.many_jobs, **many.shown()},
    ]
    return {
        "dispatch_cost_many_over_few": many.total / few.total,
        "dispatch_microseconds_few": few.total,
        "dispatch_microseconds_many": many.total,
        "dispatcher_memory_growth": max(cost.mib_after / cost.mib_before for cost in (few, many)),
    }, rows


def _cost(tenants: int, jobs: int, timed: int) -> Cost:
    with running_site() as site:
        system = Partywall(site, tenants=tenants)
        each = jobs // tenants
        for tenant in range(tenants):
            system.pile_up(tenant, each, first=tenant * each)
        site.do("analyze")
        say(f"{jobs} jobs of {tenants} tenants wait")
        with system.running() as processes:
            warm_up = round(timed * WARM_UP)
            system.marks.wait_for(warm_up, timeout_seconds=RUN_SECONDS)
            # What runs was dispatched before it: as much waits at the broker at the end as at the beginning.
            ran_jobs = system.marks.count()
            process, backends = cpu_seconds(processes, DISPATCHER), _ran(site, processes)
            before = resident_mib(processes, DISPATCHER)
            system.marks.wait_for(warm_up + timed, timeout_seconds=RUN_SECONDS)
            ran = sum(now - backends.get(pid, 0) for pid, now in _ran(site, processes).items()) / 1e9
            process = cpu_seconds(processes, DISPATCHER) - process
            dispatched = system.marks.count() - ran_jobs
            cost = Cost(
                process=1e6 * process / dispatched,
                backend=1e6 * ran / dispatched,
                mib_before=before,
                mib_after=resident_mib(processes, DISPATCHER),
            )
    say(f"a job costs {cost.total:.0f} µs to dispatch")
    return cost


def _ran(site: Site, processes: Processes) -> Mapping[int, int]:
    """Return how long each backend that serves the dispatcher has run so far, in nanoseconds."""
    lines = psutil.Process(processes[DISPATCHER].popen.pid).net_connections("tcp")
    ports = [line.laddr.port for line in lines if line.status == psutil.CONN_ESTABLISHED]
    found = site.ask("select pid from pg_stat_activity where client_port = any(:ports)", ports=ports)
    return {pid: ran_and_waited(pid)[0] for (pid,) in found}
