"""How soon a changed weight, pause or cap shows, with a million jobs waiting."""

import time
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from bench.fairness.limits import set_flow, set_limits
from bench.fairness.sizes import Sizes
from bench.load.partywall import Partywall, slug_of
from bench.load.site import running_site
from bench.progress import say

FLOWING_SECONDS = 300.0
SETTLE_SECONDS = 3.0
WATCH_SECONDS = 6.0
WINDOW_SECONDS = 2.0
STEP_SECONDS = 0.1
NEARLY = 0.9
TENANTS = 4
SPACING = 10_000_000
"""A tenant's jobs are numbered from its own number times this."""
WEIGHT = 8
BODY_SECONDS = 0.005
"""How long a body takes, so that two of a tenant overlap that run at once."""
NEVER_SECONDS = 999.0

FAVOURITE, PAUSED = 0, 1

Starts = Sequence[tuple[float, int]]
"""When each body began, and of which tenant, in order."""


def measure(sizes: Sizes) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Return after how many seconds each change could be seen."""
    changed_at: dict[str, float] = {}

    def change(name: str, does: Callable[[], None]) -> None:
        does()
        changed_at[name] = time.time()
        time.sleep(WATCH_SECONDS)

    def leave_it_alone() -> None:
        for tenant in range(PAUSED + 1, TENANTS):
            set_flow(slug_of(tenant), "paused")

    with running_site() as site:
        system = Partywall(site, tenants=TENANTS)
        for tenant in range(TENANTS):
            system.pile_up(
                tenant,
                sizes.change_jobs // TENANTS,
                first=tenant * SPACING,
                milliseconds=round(1000 * BODY_SECONDS),
            )
        say(f"{sizes.change_jobs} jobs wait")
        with system.running():
            system.marks.wait_for(1, timeout_seconds=FLOWING_SECONDS)
            time.sleep(SETTLE_SECONDS)
            change("weight", lambda: set_limits(slug_of(FAVOURITE), weight=WEIGHT))
            change("pause", lambda: set_flow(slug_of(PAUSED), "paused"))
            change("alone", leave_it_alone)
            change("cap", lambda: set_limits(slug_of(FAVOURITE), max_running=1))
            change("resume", lambda: set_flow(slug_of(PAUSED), "open"))
        starts = sorted((moment, number // SPACING) for number, moment in system.marks.starts().items())
    seen = seconds_until_seen(starts, changed_at)
    rows = [{"change": name, "seconds until seen": f"{seconds:.2f}"} for name, seconds in seen.items()]
    return {f"change_of_{name}_seconds": seconds for name, seconds in seen.items()}, rows


def seconds_until_seen(starts: Starts, changed_at: Mapping[str, float]) -> dict[str, float]:
    """Return the seconds from each change to when it showed in what began."""

    def after(name: str, tenant: int) -> list[float]:
        since = changed_at[name]
        return [moment - since for moment, its in starts if its == tenant and since <= moment < since + WATCH_SECONDS]

    alone = after("cap", FAVOURITE)
    return {
        "weight": _until_share(starts, changed_at["weight"], NEARLY * WEIGHT / (WEIGHT + TENANTS - 1)),
        "pause": max(after("pause", PAUSED), default=0.0),
        "cap": max((later for earlier, later in pairwise(alone) if later - earlier < BODY_SECONDS), default=0.0),
        "resume": min(after("resume", PAUSED), default=NEVER_SECONDS),
    }


def _until_share(starts: Starts, since: float, share: float) -> float:
    steps = round((WATCH_SECONDS - WINDOW_SECONDS) / STEP_SECONDS)
    for wait in (step * STEP_SECONDS for step in range(steps + 1)):
        begins_at = since + wait
        tenants = [tenant for moment, tenant in starts if begins_at <= moment < begins_at + WINDOW_SECONDS]
        if tenants and tenants.count(FAVOURITE) / len(tenants) >= share:
            return wait
    return NEVER_SECONDS
