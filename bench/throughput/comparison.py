"""All systems in turn, again and again, and what comes of it."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.load.bare_dramatiq import DEFAULT_THREADS
from bench.load.request import in_turn
from bench.load.site import Site
from bench.load.system import WORKERS, System
from bench.progress import say
from bench.throughput.idle import Latency, latency_of
from bench.throughput.limit import Limit
from bench.throughput.round_trips import round_trips_per_job
from bench.throughput.turn import Turn, take_turn

OURS = "partywall"
RIVALS: Mapping[str, Sequence[str]] = {
    "celery": ("celery", "celery-acks-late"),
    "dramatiq": ("dramatiq", "dramatiq-1-thread"),
    "procrastinate": ("procrastinate",),
    "limit": (f"pgbench-{WORKERS}-clients",),
}
"""Who is compared with, by the faster of its ways."""


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    rounds: int = 5
    seconds: float = 5.0
    """About how long a system's turn takes; its backlog follows from how fast it was in a turn that does not count."""
    first_jobs: int = 1500
    """The backlog of that turn."""
    singles: int = 50
    """In each turn, jobs that are accepted one by one, and as many that run one at a time."""
    round_trip_jobs: int = 200
    bulk_jobs: int = 4000
    tenants: int = 100


@dataclass
class Comparison:
    """What was measured, by system."""

    site: Site
    systems: Sequence[System]
    sizes: Sizes
    turns: dict[str, list[Turn]] = field(default_factory=dict)
    limits: dict[str, list[float]] = field(default_factory=dict)
    round_trips: dict[str, float] = field(default_factory=dict)
    bulk_per_second: dict[str, list[float]] = field(default_factory=dict)

    def run(self) -> None:
        """Measure everything."""
        backlogs = {each.name: self._backlog(each) for each in self.systems}
        limits = [Limit(self.site, clients=WORKERS), Limit(self.site, clients=WORKERS * DEFAULT_THREADS)]
        for number in range(1, self.sizes.rounds + 1):
            for system in self.systems:
                jobs = backlogs[system.name]
                taken = self._take_turn(system, jobs)
                self.turns.setdefault(system.name, []).append(taken)
                waits = latency_of(taken.idle_milliseconds)
                say(f"round {number}: {system.name} {taken.jobs_per_second:.0f} jobs/s, idle {waits.p50:.1f} ms")
            for limit in limits:
                rate = limit.transactions_per_second(seconds=self.sizes.seconds, tenants=self.sizes.tenants)
                self.limits.setdefault(limit.name, []).append(rate)
                say(f"round {number}: {limit.name} {rate:.0f} transactions/s")
        for system in self.systems:
            self.round_trips[system.name] = round_trips_per_job(
                system, jobs=self.sizes.round_trip_jobs, tenants=self.sizes.tenants
            )
        # Last, because nobody runs what is enqueued here.
        for number in range(self.sizes.rounds):
            for system in self.systems:
                self.bulk_per_second.setdefault(system.name, []).append(self._bulk(system, number))

    def ratio(self, rival: str) -> float:
        """Return how many times as fast as a rival we are: the median over the rounds, its faster way in each."""
        fastest: list[float] = [max(rates) for rates in zip(*map(self._rates, RIVALS[rival]), strict=True)]
        return statistics.median(ours / its for ours, its in zip(self._rates(OURS), fastest, strict=True))

    def figures(self) -> dict[str, float]:
        """Return what is required and what is shown beside it."""
        ours, celery = self._latency(OURS), min(self._latency(each).p50 for each in RIVALS["celery"])
        return {
            **{f"throughput_over_{rival}": self.ratio(rival) for rival in RIVALS},
            "idle_latency_p50_over_celery": ours.p50 / celery,
            "idle_latency_p50_milliseconds": ours.p50,
            "idle_latency_p95_milliseconds": ours.p95,
            "idle_latency_p99_milliseconds": ours.p99,
            "bulk_enqueue_per_second": statistics.median(self.bulk_per_second[OURS]),
            **{f"cpu_over_{rival}": self._cpu_ratio(names) for rival, names in RIVALS.items() if rival != "limit"},
        }

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each system: medians over the rounds."""
        return [self._row(each.name) for each in self.systems] + [
            {**dict.fromkeys(self._row(OURS), ""), "system": name, **_spread(rates)}
            for name, rates in self.limits.items()
        ]

    def _row(self, name: str) -> dict[str, Any]:
        def median(read: Callable[[Turn], float]) -> float:
            return statistics.median(map(read, self.turns[name]))

        latency = self._latency(name)
        return {
            "system": name,
            **_spread(self._rates(name)),
            "enqueue/s": round(median(lambda turn: turn.accepted_per_second)),
            "in bulk/s": round(statistics.median(self.bulk_per_second[name])),
            "idle p50 ms": latency.p50,
            "p95": latency.p95,
            "p99": latency.p99,
            "round trips": self.round_trips[name],
            "WAL bytes": round(median(lambda turn: turn.wal_bytes_per_job)),
            "worker CPU µs": round(median(lambda turn: turn.worker_cpu_microseconds_per_job)),
            "all CPU µs": round(median(lambda turn: turn.all_cpu_microseconds_per_job)),
            "MiB": median(lambda turn: turn.resident_mib_before),
            "MiB after": median(lambda turn: turn.resident_mib_after),
        }

    def _cpu_ratio(self, rivals: Sequence[str]) -> float:
        """Return how many times a rival's processor time a job takes us, its more frugal way in each round."""
        frugal: list[float] = [min(spent) for spent in zip(*map(self._cpu, rivals), strict=True)]
        return statistics.median(ours / its for ours, its in zip(self._cpu(OURS), frugal, strict=True))

    def _cpu(self, name: str) -> list[float]:
        return [turn.all_cpu_microseconds_per_job for turn in self.turns[name]]

    def _rates(self, name: str) -> list[float]:
        return self.limits.get(name) or [turn.jobs_per_second for turn in self.turns[name]]

    def _backlog(self, system: System) -> int:
        first = self._take_turn(system, self.sizes.first_jobs)
        return max(self.sizes.first_jobs, round(first.jobs_per_second * self.sizes.seconds))

    def _take_turn(self, system: System, jobs: int) -> Turn:
        sizes = self.sizes
        return take_turn(self.site, system, jobs=jobs, singles=sizes.singles, tenants=sizes.tenants)

    def _latency(self, name: str) -> Latency:
        return latency_of([wait for turn in self.turns[name] for wait in turn.idle_milliseconds])

    def _bulk(self, system: System, number: int) -> float:
        # A thousand of a tenant at a time, as much as one request to the API may ask for.
        requests = in_turn(
            self.sizes.bulk_jobs, tenants=max(1, self.sizes.bulk_jobs // 1000), first=number * self.sizes.bulk_jobs
        )
        began = time.perf_counter()
        system.enqueue_many(requests)
        return len(requests) / (time.perf_counter() - began)


def _spread(rates: Sequence[float]) -> dict[str, Any]:
    return {"jobs/s": round(statistics.median(rates)), "range": f"{min(rates):.0f}–{max(rates):.0f}"}
