"""`python -m bench fairness [part...]`: what a tenant gets while others want everything."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from bench.fairness import changes, dispatching, flood, memory, shares, spread
from bench.fairness.sizes import Sizes
from bench.progress import say
from bench.report import report
from bench.sizes import sizes_from

TARGET = "fairness"

PARTS: Final[Mapping[str, Callable[[Sizes], tuple[dict[str, float], list[dict[str, Any]]]]]] = {
    "flood": flood.measure,
    "equal": shares.measure_equal,
    "weights": shares.measure_weights,
    "spread": spread.measure,
    "changes": changes.measure,
    "dispatch": dispatching.measure,
    "memory": memory.measure,
}


def run(arguments: Sequence[str]) -> int:
    """Measure the named parts or all, each on servers of its own; return 0 when all requirements are met, else 1."""
    sizes, results, parts = sizes_from(arguments, Sizes, target=TARGET, parts=list(PARTS))
    codes = []
    for part in parts:
        say(f"measuring: {part}")
        figures, rows = PARTS[part](sizes)
        name = f"{TARGET}-{part}"
        codes.append(report(name, figures, rows, results=results, details={"sizes": dataclasses.asdict(sizes)}))
    return max(codes)
