"""Lanes: the queues that share workers share one order, so that who spreads over queues gains nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from db.workers import ServedQueues


@dataclass(frozen=True, slots=True)
class Lane:
    """Queues that the same processes serve, sorted; its name is the first."""

    queues: tuple[str, ...]
    slots: int
    """How many bodies these processes run at a time; 0 where there is none."""


def lanes_of(queues: Sequence[str], served: Iterable[ServedQueues]) -> list[Lane]:
    """Return these queues, each in one lane: together with every queue that one of its processes serves as well."""
    groups = {queue: ({queue}, [0]) for queue in queues}
    for each in served:
        ours = [queue for queue in each.queues if queue in groups]
        if not ours:
            continue
        together, slots = groups[ours[0]]
        slots[0] += each.slots
        for queue in ours[1:]:
            others, more = groups[queue]
            if others is not together:
                together |= others
                slots[0] += more[0]
                for other in others:
                    groups[other] = (together, slots)
    found = {frozenset(together): slots[0] for together, slots in groups.values()}
    return sorted((Lane(tuple(sorted(each)), slots) for each, slots in found.items()), key=lambda lane: lane.queues)
