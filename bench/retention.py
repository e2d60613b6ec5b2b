"""What a million finished jobs cost those that are live, and what pruning them costs meanwhile.

bench/README.md says how it is measured.
"""

import statistics
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy.exc import OperationalError

from bench.contenders import backend_pid
from bench.finished import add_database, vacuum
from bench.hands import Hands, hands_on
from bench.sampling import Sample, Samples, on_cores, sample
from bench.server import running_server

FEW, MANY = "few", "many"
LIFE = ("enqueue", "dispatch", "claim", "finish")
EACH = 20
"""Calls of a kind in a round."""
PRUNED_PER_TRANSACTION = 1000
ALONE_SECONDS = 2.0

Taken = Mapping[str, Mapping[str, Samples]]
"""Samples by call and database."""


def run(
    finished: int = 1_000_000, few: int = 1000, pruned: int = 100_000, rounds: int = 40, windows: int = 10
) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Return every figure by name, and a row for each call on either database.

    Of the `finished` jobs a fifth are the tenant's whose jobs are pruned, and half of those are past its retention.
    """
    with running_server(roomy=True) as server:
        for name, jobs in ((FEW, few), (MANY, finished)):
            add_database(server, name, jobs=jobs)
        with hands_on(server, FEW) as on_few, hands_on(server, MANY) as on_many:
            both = {FEW: on_few, MANY: on_many}
            for hands in both.values():
                hands.have_a_backlog()
            before = _in_turn(both, rounds)
            pruning = _pruning(on_many, each=pruned // windows, windows=windows)
            for name in both:
                vacuum(server, name)
            after = _in_turn(both, rounds)
    figures = _ratios(before, "") | pruning | _ratios(after, "_after_pruning")
    return figures, _rows(before, "") + _rows(after, ", after pruning")


def _in_turn(both: Mapping[str, Hands], rounds: int) -> Taken:
    """Return samples of each call from rounds in which the databases take turns, another one first in each round."""
    taken: dict[str, dict[str, list[Sample]]] = {call: {name: [] for name in both} for call in both[FEW].calls}
    for number in range(rounds):
        for name in (FEW, MANY) if number % 2 else (MANY, FEW):
            with on_cores(both[name].backend_pids, apart=True):
                for call, (does, connection) in both[name].calls.items():
                    taken[call][name].append(sample(does, count=EACH, backend_pid=backend_pid(connection)))
    return {call: {name: Samples(samples) for name, samples in each.items()} for call, each in taken.items()}


def _pruning(hands: Hands, *, each: int, windows: int) -> dict[str, float]:
    """Let jobs live alone and while others are pruned, in turns; return how much longer that took them."""
    alone, meanwhile = Lives(hands), Lives(hands)
    batches: list[float] = []
    with ThreadPoolExecutor(1) as pool:
        for _ in range(windows):
            ends_at = time.monotonic() + ALONE_SECONDS
            while time.monotonic() < ends_at:
                alone.add_one()
            pruning = pool.submit(_prune, hands, each)
            while not pruning.done():
                meanwhile.add_one()
            batches += pruning.result()
    return {
        **{f"{call}_p95_while_pruning_over_alone": meanwhile.p95(call) / alone.p95(call) for call in LIFE},
        **{f"{call}_p95_milliseconds_while_pruning": 1000 * meanwhile.p95(call) for call in LIFE},
        "calls_that_met_a_lock": alone.refused + meanwhile.refused,
        "jobs_that_lived_while_pruning": len(meanwhile),
        "pruned": PRUNED_PER_TRANSACTION * len(batches),
        "prune_batch_milliseconds": 1000 * statistics.median(batches),
    }


def _prune(hands: Hands, jobs: int) -> list[float]:
    """Prune so many jobs; return how many seconds each transaction took."""
    seconds = []
    for _ in range(jobs // PRUNED_PER_TRANSACTION):
        began = time.perf_counter()
        if hands.prune(limit=PRUNED_PER_TRANSACTION) < PRUNED_PER_TRANSACTION:
            raise TooFewError("fewer jobs are past their retention than are to be pruned")
        seconds.append(time.perf_counter() - began)
    return seconds


class TooFewError(Exception):
    """There was nothing left to measure."""


class Lives:
    """How long each call took of jobs that live one after the other."""

    def __init__(self, hands: Hands) -> None:
        self._hands = hands
        self._seconds: dict[str, list[float]] = {call: [] for call in LIFE}
        self.refused = 0
        """Calls that waited for a lock longer than LOCK_TIMEOUT."""

    def __len__(self) -> int:
        return len(self._seconds[LIFE[-1]])

    def add_one(self) -> None:
        """Let one job be enqueued and the next be dispatched, claimed and finished."""
        for call in LIFE:
            does, _ = self._hands.calls[call]
            began = time.perf_counter()
            try:
                does()
            except OperationalError:
                self.refused += 1
                return
            self._seconds[call].append(time.perf_counter() - began)

    def p95(self, call: str) -> float:
        """Return how many seconds 95 of 100 did not exceed."""
        return statistics.quantiles(self._seconds[call], n=20)[-1]


def _ratios(taken: Taken, when: str) -> dict[str, float]:
    return {
        f"{call.replace(' ', '_')}_{clock}{when}_over_few": each[MANY].over(each[FEW], clock)
        for call, each in taken.items()
        for clock in ("backend", "wall")
    }


def _rows(taken: Taken, when: str) -> list[dict[str, Any]]:
    return [
        {
            "what": f"{call}{when}",
            "finished jobs": name,
            "wall µs": samples.median("wall"),
            "least": samples.least("wall"),
            "backend CPU µs": samples.median("backend"),
            "least ": samples.least("backend"),
        }
        for call, each in taken.items()
        for name, samples in each.items()
    ]
