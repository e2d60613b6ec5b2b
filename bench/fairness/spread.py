"""What a tenant gains that spreads its jobs over many tasks and queues, beside one that does not."""

import os
from collections import Counter
from typing import Any

from bench.fairness.shares import SPACING, watch, while_all_wait
from bench.fairness.sizes import Sizes
from bench.load.partywall import TASK, Partywall
from bench.load.site import TASKS, running_site
from bench.load.tasks import SPREAD
from bench.progress import say

SPREAD_TASKS = "bench.load.spread_tasks"


def measure(sizes: Sizes) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Return how many times its half the one that spreads gets while both have a backlog."""
    ways = {"one task": [TASK], "twenty tasks and queues": list(SPREAD)}
    with running_site() as site:
        os.environ |= {
            "PARTYWALL_TASK_MODULES": f"{TASKS},{SPREAD_TASKS}",
            "PARTYWALL_QUEUES": ",".join(["default", *SPREAD.values()]),
        }
        system = Partywall(site, tenants=len(ways))
        for tenant, names in enumerate(ways.values()):
            system.pile_up(tenant, sizes.spread_jobs, first=tenant * SPACING, tasks=names)
        done = watch(system, jobs=len(ways) * sizes.spread_jobs, seconds=sizes.watch_seconds)
    counted = Counter(tenant for tenant, _ in while_all_wait(done, len(ways)))
    shares = [counted[tenant] / counted.total() for tenant in range(len(ways))]
    say(f"shares {', '.join(f'{share:.3f}' for share in shares)} of {counted.total()} jobs")
    return {"spread_over_half": shares[1] * len(ways), "spread_jobs": counted.total()}, [
        {"tenant": way, "jobs": counted[tenant], "share": f"{shares[tenant]:.3f}"} for tenant, way in enumerate(ways)
    ]
