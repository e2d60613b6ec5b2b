"""What one turn of something costs: time on the wall, and time on a processor at either end. Linux only."""

import math
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

_CORES = sorted(os.sched_getaffinity(0))
_BEFORE_OTHERS = -15


class Sample(NamedTuple):
    """Microseconds of one turn, the mean of several."""

    wall: float
    client: float
    backend: float
    waited: float
    """How long client and backend, ready to run, waited for a core that somebody else had."""

    def on(self, clock: str) -> float:
        """Return what a clock showed: wall, client, backend, or work, which is what both ends did."""
        return float(getattr(self, clock))

    @property
    def work(self) -> float:
        """What both ends did: the time on the wall if they shared a core with nobody else."""
        return self.client + self.backend

    @property
    def disturbance(self) -> float:
        """How much of the time went to somebody else."""
        return self.waited / self.wall


@dataclass(frozen=True)
class Samples:
    """Samples of one contender, in rounds that all contenders took part in.

    What is said about them is said about the calmest quarter: a neighbour who takes the core away for a while does not
    show what anything costs.
    """

    taken: Sequence[Sample]

    def median(self, clock: str) -> float:
        """Return the median of a clock."""
        return statistics.median(sample.on(clock) for sample in self._calmest())

    def least(self, clock: str) -> float:
        """Return the least that a clock showed."""
        return min(sample.on(clock) for sample in self._calmest())

    def over(self, other: "Samples", clock: str) -> float:
        """Return how many times the other's this is: the median of the ratios within a round."""
        return statistics.median(mine.on(clock) / its.on(clock) for mine, its in self._calmest_pairs(other))

    def beyond(self, other: "Samples", clock: str) -> float:
        """Return how many microseconds more than the other's this is: the median of the differences within a round."""
        return statistics.median(mine.on(clock) - its.on(clock) for mine, its in self._calmest_pairs(other))

    def _calmest(self) -> list[Sample]:
        return sorted(self.taken, key=lambda sample: sample.disturbance)[: self._quarter]

    def _calmest_pairs(self, other: "Samples") -> list[tuple[Sample, Sample]]:
        pairs = zip(self.taken, other.taken, strict=True)
        return sorted(pairs, key=lambda pair: max(pair[0].disturbance, pair[1].disturbance))[: self._quarter]

    @property
    def _quarter(self) -> int:
        return math.ceil(len(self.taken) / 4)


def sample(does: Callable[[], object], *, count: int, backend_pid: int, each: int = 1) -> Sample:
    """Return what one turn costs, as the mean over `count` calls that take `each` turns."""
    backend, client = ran_and_waited(backend_pid), ran_and_waited(os.getpid())
    processor, wall = time.process_time_ns(), time.perf_counter_ns()
    for _ in range(count):
        does()
    wall, processor = time.perf_counter_ns() - wall, time.process_time_ns() - processor
    backend_ran, backend_waited = (now - then for now, then in zip(ran_and_waited(backend_pid), backend, strict=True))
    waited = backend_waited + ran_and_waited(os.getpid())[1] - client[1]
    return Sample(*(spent / (count * each) / 1000 for spent in (wall, processor, backend_ran, waited)))


def ran_and_waited(pid: int) -> tuple[int, int]:
    """Return the nanoseconds that a process has run so far, and those that it was ready to and had no core."""
    ran, waited, _ = Path(f"/proc/{pid}/schedstat").read_text().split()
    return int(ran), int(waited)


@contextmanager
def on_cores(backend_pids: Sequence[int], *, apart: bool) -> Iterator[None]:
    """Keep this process on one core while the block runs, and the backends on another, or with `apart` off on the same.

    Left alone, the scheduler moves a client and its backend together or apart as it likes, and the one costs a tenth of
    a millisecond a round trip more than the other: more than anything measured here. Root's run goes before others'.
    """
    theirs = _CORES[-1:] if apart else _CORES[:1]
    everyone = {0: _CORES[:1], **dict.fromkeys(backend_pids, theirs)}
    for pid, cores in everyone.items():
        os.sched_setaffinity(pid, cores)
        with suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, pid, _BEFORE_OTHERS)
    try:
        yield
    finally:
        for pid in everyone:
            os.sched_setaffinity(pid, _CORES)
            with suppress(PermissionError):
                os.setpriority(os.PRIO_PROCESS, pid, 0)
