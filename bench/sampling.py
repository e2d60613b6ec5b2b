"""What one turn of something costs: time on the wall, and time on a processor at either end."""

import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

_CORES = sorted(os.sched_getaffinity(0))


class Sample(NamedTuple):
    """Microseconds of one turn, the mean of several."""

    wall: float
    client: float
    backend: float

    def on(self, clock: str) -> float:
        """Return what one of the three clocks showed."""
        return float(getattr(self, clock))


@dataclass(frozen=True)
class Samples:
    """Samples of one contender, one a round."""

    taken: Sequence[Sample]

    def median(self, clock: str) -> float:
        """Return the median of a clock over the rounds."""
        return statistics.median(sample.on(clock) for sample in self.taken)

    def least(self, clock: str) -> float:
        """Return the least that a clock showed in any round."""
        return min(sample.on(clock) for sample in self.taken)

    def over(self, other: "Samples", clock: str) -> float:
        """Return how many times the other's this is: the median of the ratios within each round.

        A neighbour who slows the machine down for a while slows both down, and the ratio stays.
        """
        pairs = zip(self.taken, other.taken, strict=True)
        return statistics.median(mine.on(clock) / its.on(clock) for mine, its in pairs)

    def beyond(self, other: "Samples", clock: str) -> float:
        """Return how many microseconds more than the other's this is: the median of the differences in each round."""
        pairs = zip(self.taken, other.taken, strict=True)
        return statistics.median(mine.on(clock) - its.on(clock) for mine, its in pairs)


def sample(does: Callable[[], object], *, count: int, backend_pid: int, each: int = 1) -> Sample:
    """Return what one turn costs, as the mean over `count` calls that take `each` turns."""
    backend, client, wall = _on_processor(backend_pid), time.process_time_ns(), time.perf_counter_ns()
    for _ in range(count):
        does()
    spent = (
        time.perf_counter_ns() - wall,
        time.process_time_ns() - client,
        _on_processor(backend_pid) - backend,
    )
    return Sample(*(nanoseconds / (count * each) / 1000 for nanoseconds in spent))


def _on_processor(pid: int) -> int:
    """Return the nanoseconds that a process has run so far. Linux only."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])


@contextmanager
def on_cores(backend_pids: Sequence[int], *, apart: bool) -> Iterator[None]:
    """Keep this process on one core while the block runs, and the backends on another, or with `apart` off on the same.

    Left alone, the scheduler moves a client and its backend together or apart as it likes, and the one costs a tenth of
    a millisecond a round trip more than the other: more than anything measured here.
    """
    ours, theirs = _CORES[:1], _CORES[-1:] if apart else _CORES[:1]
    os.sched_setaffinity(0, ours)
    for pid in backend_pids:
        os.sched_setaffinity(pid, theirs)
    try:
        yield
    finally:
        for pid in (0, *backend_pids):
            os.sched_setaffinity(pid, _CORES)
