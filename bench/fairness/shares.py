"""Who gets how much of the workers while everybody has a backlog: equal tenants, and tenants with weights."""

import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bench.fairness.limits import set_limits
from bench.fairness.sizes import Sizes
from bench.load.partywall import Partywall, slug_of
from bench.load.site import running_site
from bench.progress import say
from tasks.proof.processes import wait_until

FLOWING_SECONDS = 120.0
WARM_UP_SECONDS = 1.0
STEP_SECONDS = 1.0
SPACING = 1_000_000
"""A tenant's jobs are numbered from its own number times this."""
WEIGHTS = (1, 2, 4)
FIRST_JOBS = 500
ROOM = 1.5

Done = Sequence[tuple[int, float]]
"""The tenant of each job and when its row was written, in that order."""


def measure_equal(sizes: Sizes) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Return the least Jain's index over any window in which all tenants have a backlog."""
    tenants = sizes.equal_tenants
    rate = _rate(tenants)
    each = math.ceil(ROOM * rate * (sizes.watch_seconds + WARM_UP_SECONDS) / tenants)
    done = _watch(tenants, [each] * tenants, sizes.watch_seconds, lambda: None)
    windows = shares_by_window(done, tenants, sizes.window_seconds)
    indexes = [jain(window) for window in windows]
    say(f"{len(windows)} windows, {sum(windows[0])} jobs in the first, Jain's index {min(indexes):.4f} at least")
    return {
        "jain_least": min(indexes),
        "jain_tenants": tenants,
        "jain_jobs_per_window": min(map(sum, windows)),
    }, [{"from second": place, "jobs": sum(window), "least": min(window), "most": max(window), "Jain": f"{index:.4f}"}
        for place, (window, index) in enumerate(zip(windows, indexes, strict=True))]  # fmt: skip


def measure_weights(sizes: Sizes) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Return by how much the shares of tenants with weights are off, at most."""

    def weigh() -> None:
        for tenant, weight in enumerate(WEIGHTS):
            set_limits(slug_of(tenant), weight=weight)

    total = sum(WEIGHTS)
    done = _watch(len(WEIGHTS), [sizes.weighted_jobs] * len(WEIGHTS), sizes.watch_seconds, weigh)
    counted = Counter(tenant for tenant, _ in while_all_wait(done, len(WEIGHTS)))
    shares = {tenant: counted[tenant] / counted.total() for tenant in range(len(WEIGHTS))}
    off = {tenant: shares[tenant] / (weight / total) - 1 for tenant, weight in enumerate(WEIGHTS)}
    say(f"shares {', '.join(f'{share:.3f}' for share in shares.values())} of {counted.total()} jobs")
    return {"weights_off_by": max(map(abs, off.values())), "weights_jobs": counted.total()}, [
        {"weight": weight, "jobs": counted[tenant], "share": f"{shares[tenant]:.3f}", "off": f"{off[tenant]:+.3f}"}
        for tenant, weight in enumerate(WEIGHTS)
    ]


def _rate(tenants: int) -> float:
    """Return about how many jobs a second there are."""
    done = _watch(tenants, [math.ceil(FIRST_JOBS / tenants)] * tenants, math.inf, lambda: None)
    return len(done) / (done[-1][1] - done[0][1])


def _watch(tenants: int, backlogs: Sequence[int], seconds: float, prepare: Callable[[], None]) -> Done:
    """Return what was done within `seconds`, or until all was, of backlogs that were there before."""
    with running_site() as site:
        system = Partywall(site, tenants=tenants)
        prepare()
        # One tenant after the other: who serves in the order of arrival serves one tenant alone.
        for tenant, backlog in enumerate(backlogs):
            system.pile_up(tenant, backlog, first=tenant * SPACING)
        return watch(system, jobs=sum(backlogs), seconds=seconds)


def watch(system: Partywall, *, jobs: int, seconds: float) -> Done:
    """Run a system until so many jobs are done, or for so long; return what was."""
    with system.running():
        system.marks.wait_for(1, timeout_seconds=FLOWING_SECONDS)
        over_at = time.monotonic() + WARM_UP_SECONDS + seconds
        wait_until(
            lambda: time.monotonic() > over_at or system.marks.count() >= jobs,
            timeout_seconds=seconds + 10 * FLOWING_SECONDS,
            look_seconds=STEP_SECONDS / 2,
            what="the time is over",
        )
    return [(number // SPACING, moment) for number, moment in system.marks.numbers()]


def while_all_wait(done: Done, tenants: int) -> Done:
    """Leave out the start, and what was done once the first tenant had nothing more waiting.

    A tenant whose last row is not near the end has run out; then the others rightly get more.
    """
    last: Mapping[int, float] = dict(done)
    ends_at = min((last.get(tenant, math.inf) for tenant in range(tenants)), default=math.inf)
    begins_at = done[0][1] + WARM_UP_SECONDS
    return [each for each in done if begins_at <= each[1] <= ends_at]


def shares_by_window(done: Done, tenants: int, window_seconds: float) -> list[list[int]]:
    """Return for each window, a second after the other, how many jobs of each tenant were done in it."""
    begins_at, ends_at = done[0][1] + WARM_UP_SECONDS, done[-1][1]
    count = max(1, math.floor((ends_at - begins_at - window_seconds) / STEP_SECONDS) + 1)
    windows = []
    for start in (begins_at + place * STEP_SECONDS for place in range(count)):
        counted = Counter(tenant for tenant, moment in done if start <= moment < start + window_seconds)
        windows.append([counted[tenant] for tenant in range(tenants)])
    return windows


def jain(amounts: Sequence[float]) -> float:
    """Return Jain's index of fairness: 1 when all got the same, 1/n when one got everything."""
    squares = sum(amount * amount for amount in amounts)
    return sum(amounts) ** 2 / (len(amounts) * squares) if squares else 0.0
