"""How often workers wait for PostgreSQL, counted by a proxy in between."""

from bench.counting_proxy import CountingProxy
from bench.load.request import in_turn
from bench.load.system import System

WARM_UP = 50
READY_SECONDS = 120.0


def round_trips_per_job(system: System, *, jobs: int, tenants: int) -> float:
    """Return the round trips that workers make for a job, whatever they make them for."""
    system.marks.clear()
    databases = system.worker_databases
    with CountingProxy.before(next(iter(databases.values()))) as proxy:
        with system.running(**{setting: proxy.url(url) for setting, url in databases.items()}):
            system.enqueue_many(in_turn(WARM_UP, tenants=tenants))
            system.marks.wait_for(WARM_UP, timeout_seconds=READY_SECONDS)
            with proxy.counting() as trips:
                system.enqueue_many(in_turn(jobs, tenants=tenants, first=WARM_UP))
                system.marks.wait_for(WARM_UP + jobs, timeout_seconds=READY_SECONDS)
        return trips.count / jobs
