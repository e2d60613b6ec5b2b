"""Which fault happens when: the same seed, the same schedule."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class FaultKind(StrEnum):
    """What can be done to a running system."""

    KILL_CHILD = "kill a worker's child"
    KILL_WORKER = "kill a worker's main process"
    KILL_NODE = "kill a worker with its children"
    KILL_DISPATCHER = "kill a dispatcher"
    KILL_REAPER = "kill a reaper"
    KILL_API = "kill the API"
    STOP_CHILD = "stop a worker's child for less than its lease"
    STOP_CHILD_PAST_LEASE = "stop a worker's child past its lease"
    STOP_WORKER = "stop a worker's main process"
    FREEZE_NODE_PAST_LEASE = "stop a worker with its children past their leases"
    STOP_DISPATCHER = "stop a dispatcher"
    STOP_REAPER = "stop a reaper"
    STOP_API = "stop the API"
    EMPTY_BROKER = "empty the broker"
    RESTART_BROKER = "kill the broker and start it with nothing"
    RESTART_POSTGRES = "restart PostgreSQL immediately"
    TERMINATE_BACKENDS = "terminate all sessions of PostgreSQL"
    CUT_WORKERS = "let the workers' line to the broker go silent"
    CUT_DISPATCHERS = "let the dispatchers' line to the broker go silent"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is done at a moment, to the `pick`-th of those it can be done to."""

    at_seconds: float
    kind: FaultKind
    pick: int
    lasts_seconds: float = 0.0


_SHORT: Final = (0.1, 0.6)
_MIDDLE: Final = (0.3, 0.9)
"""Of what keeps every job from running: were it longer, the faults that come meanwhile would hit nothing."""
_PAST: Final = (1.5, 1.8)  # and past the next look of the reaper

_KINDS: Final[Mapping[FaultKind, tuple[int, tuple[float, float] | None]]] = {
    FaultKind.KILL_CHILD: (4, None),
    FaultKind.KILL_WORKER: (2, None),
    FaultKind.KILL_NODE: (2, None),
    FaultKind.KILL_DISPATCHER: (2, None),
    FaultKind.KILL_REAPER: (1, None),
    FaultKind.KILL_API: (2, None),
    FaultKind.STOP_CHILD: (2, _SHORT),
    FaultKind.STOP_CHILD_PAST_LEASE: (5, _PAST),
    FaultKind.STOP_WORKER: (1, _SHORT),
    FaultKind.FREEZE_NODE_PAST_LEASE: (3, _PAST),
    FaultKind.STOP_DISPATCHER: (1, _MIDDLE),
    FaultKind.STOP_REAPER: (1, _PAST),
    FaultKind.STOP_API: (1, _SHORT),
    FaultKind.EMPTY_BROKER: (2, None),
    FaultKind.RESTART_BROKER: (1, None),
    FaultKind.RESTART_POSTGRES: (1, None),
    FaultKind.TERMINATE_BACKENDS: (2, None),
    FaultKind.CUT_WORKERS: (1, _MIDDLE),
    FaultKind.CUT_DISPATCHERS: (1, _MIDDLE),
}
"""How often each comes, relatively, and how long it lasts in leases."""

_FIRST: Final = (
    FaultKind.FREEZE_NODE_PAST_LEASE,
    FaultKind.KILL_NODE,
    FaultKind.STOP_CHILD_PAST_LEASE,
    FaultKind.EMPTY_BROKER,
    FaultKind.STOP_CHILD_PAST_LEASE,
)
"""What also the shortest run has to survive."""
_ENDS_SESSIONS: Final = (FaultKind.RESTART_POSTGRES, FaultKind.TERMINATE_BACKENDS)


def schedule(seed: int, *, seconds: float, lease_seconds: float) -> list[Fault]:
    """Return about a fault a second, in order of time. Of each kind there is one before any comes by its weight."""
    dice = random.Random(f"faults {seed}")
    others = [kind for kind in FaultKind if kind not in _FIRST]
    dice.shuffle(others)
    # What ends a zombie's session ends the zombie: the first one shall wake up before.
    others.sort(key=lambda kind: kind in _ENDS_SESSIONS)
    kinds = [*_FIRST, *others[:5], *others[-2:], *others[5:-2]]
    weights = [_KINDS[kind][0] for kind in FaultKind]
    faults: list[Fault] = []
    at = dice.uniform(0.5, 1.5)
    while at < seconds:
        kind = kinds.pop(0) if kinds else dice.choices(list(FaultKind), weights)[0]
        span = _KINDS[kind][1]
        pick = dice.randrange(1_000_000)
        if len(faults) == _FIRST.index(FaultKind.KILL_NODE):
            # The other node: the one that was frozen has to live to be a zombie.
            pick = faults[0].pick + 1
        faults.append(
            Fault(
                at_seconds=round(at, 3),
                kind=kind,
                pick=pick,
                lasts_seconds=round(lease_seconds * dice.uniform(*span), 3) if span else 0.0,
            )
        )
        at += dice.uniform(0.5, 1.5)
    return faults
