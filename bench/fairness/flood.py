"""What small tenants wait while one floods, and what they wait without it."""

import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from bench.fairness.sizes import Sizes
from bench.load.bare_celery import BareCelery
from bench.load.marks import make_bare_table
from bench.load.partywall import Partywall
from bench.load.request import Request
from bench.load.site import Site, running_site
from bench.load.system import System
from bench.progress import say
from bench.throughput.idle import Latency, latency_of
from tasks.proof.processes import NotInTimeError, wait_until

FLOODER = 0
FLOWING_SECONDS = 120.0
WARM_UP = 20
LOOK_SECONDS = 0.25
OTHERS_FROM = 10_000_000
"""Numbers of the others' jobs start here, so that they can be told from the flood's."""


@dataclass(frozen=True, slots=True)
class Waits:
    """What the others waited, in milliseconds, and how many of their jobs had not even begun when we gave up."""

    latency: Latency
    unserved: int


def measure(sizes: Sizes) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Return the figures, and a row for each system with and without a flood."""
    rows: list[dict[str, Any]] = []
    p99: dict[str, dict[str, float]] = {}
    for name, make in _MAKERS.items():
        for case, flood in (("quiet", 0), ("flood", sizes.flood_jobs)):
            with running_site() as site:
                waits = _waits(make(site, sizes), sizes, flood)
            latency = waits.latency
            p99.setdefault(name, {})[case] = latency.p99
            say(f"{name}, {case}: p99 {latency.p99:.0f} ms, {waits.unserved} not served")
            rows.append(
                {"system": name, "case": case, "p50 ms": latency.p50, "p95 ms": latency.p95, "p99 ms": latency.p99,
                 "not served": waits.unserved}
            )  # fmt: skip
    ours, celery = p99["partywall"], p99["celery"]
    return {
        "flood_p99_over_quiet": ours["flood"] / ours["quiet"],
        "flood_p99_milliseconds": ours["flood"],
        "quiet_p99_milliseconds": ours["quiet"],
        "flood_p99_over_quiet_celery": celery["flood"] / celery["quiet"],
    }, rows


def _partywall(site: Site, sizes: Sizes) -> System:
    return Partywall(site, tenants=1 + sizes.others)


def _celery(site: Site, sizes: Sizes) -> System:
    make_bare_table(site)
    return BareCelery(site, acks_late=False)


_MAKERS: dict[str, Callable[[Site, Sizes], System]] = {"partywall": _partywall, "celery": _celery}


def _waits(system: System, sizes: Sizes, flood: int) -> Waits:
    if isinstance(system, Partywall):
        system.pile_up(FLOODER, max(flood, WARM_UP))
    else:
        system.enqueue_many([Request(FLOODER, number) for number in range(max(flood, WARM_UP))])
    with system.running():
        system.marks.wait_for(WARM_UP, timeout_seconds=FLOWING_SECONDS)
        accepted = _ask(system, arrivals(sizes))
        began_by = _began(system, accepted, sizes.patience_seconds)
        gave_up = time.time()
    waits = [1000 * (began_by.get(number, gave_up) - moment) for number, moment in accepted.items()]
    return Waits(latency_of(waits), unserved=len(accepted.keys() - began_by.keys()))


def arrivals(sizes: Sizes) -> list[tuple[float, Request]]:
    """Return when each job is asked for: each tenant's once a second, at a moment of the second of its own."""
    moments = random.Random(1)
    offsets = {tenant: moments.random() for tenant in range(1, sizes.others + 1)}
    every = [
        (second + offset, tenant) for second in range(round(sizes.others_seconds)) for tenant, offset in offsets.items()
    ]
    return [(at, Request(tenant, OTHERS_FROM + place)) for place, (at, tenant) in enumerate(sorted(every))]


def _ask(system: System, asked: Sequence[tuple[float, Request]]) -> dict[int, float]:
    accepted: dict[int, float] = {}
    began = time.monotonic()
    for at, request in asked:
        time.sleep(max(0.0, began + at - time.monotonic()))
        system.enqueue(request)
        accepted[request.number] = time.time()
    return accepted


def _began(system: System, accepted: dict[int, float], patience_seconds: float) -> dict[int, float]:
    """Return when each of them began, without those that did not in time."""
    with suppress(NotInTimeError):
        wait_until(
            lambda: system.marks.count_from(OTHERS_FROM) == len(accepted),
            timeout_seconds=patience_seconds,
            look_seconds=LOOK_SECONDS,
            what="all are served",
        )
    return {number: moment for number, moment in system.marks.starts().items() if number in accepted}
