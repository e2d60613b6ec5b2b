"""What producers ask for: the same seed, the same jobs."""

import random
from dataclasses import dataclass
from typing import Final

from bench.chaos.plan import TENANTS

_TASKS: Final = {
    "chaos.writes_and_works": 35,
    "chaos.is_short": 40,
    "chaos.works_and_writes": 15,
    "chaos.works_in_sql": 20,
    "chaos.keeps_checkpoints": 10,
    "chaos.commits_halfway": 10,
    "chaos.fails_once": 10,
}
AT_ONCE: Final = 0.25
"""The share of jobs that is there from the start: the first faults shall find every slot busy."""
LONG_ONE_IN: Final = 150
"""So many jobs to one that works longer than its lease, and needs its heartbeats."""


@dataclass(frozen=True, slots=True)
class Request:
    """One job to ask for."""

    number: int
    at_seconds: float
    tenant: int
    task: str
    milliseconds: int
    over_http: bool


def requests(seed: int, *, jobs: int, seconds: float, lease_seconds: float) -> list[Request]:
    """Return as many as `jobs`, some at once and the others spread evenly over the time, in order."""
    dice = random.Random(f"work {seed}")
    return [
        Request(
            number=number,
            at_seconds=seconds * max(0.0, (number / jobs - AT_ONCE) / (1 - AT_ONCE)),
            tenant=dice.randrange(TENANTS),
            task=dice.choices(list(_TASKS), list(_TASKS.values()))[0],
            milliseconds=_milliseconds(number, dice, lease_seconds),
            over_http=dice.random() < 0.8,
        )
        for number in range(jobs)
    ]


def _milliseconds(number: int, dice: random.Random, lease_seconds: float) -> int:
    usual = dice.randint(5, 400)
    return int(1500 * lease_seconds) if number % LONG_ONE_IN == LONG_ONE_IN // 2 else usual
