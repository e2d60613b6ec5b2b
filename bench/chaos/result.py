"""What is printed of a run and written down."""

from collections import Counter
from pathlib import Path

from bench.chaos.plan import Plan
from bench.chaos.trial import Outcome
from bench.report import report


def write(plan: Plan, outcome: Outcome, results: Path, *, name: str | None = None) -> int:
    """Print and write a run's result; return 0 when all requirements are met, else 1."""
    by_kind = Counter((record["kind"], record["hit"] is not None) for record in outcome.faults)
    kinds = sorted({kind for kind, _ in by_kind})
    return report(
        name or plan.name,
        outcome.figures,
        [{"fault": kind, "happened": by_kind[kind, True], "hit nothing": by_kind[kind, False]} for kind in kinds],
        required=("chaos", "chaos-recovery") if plan.recovery else ("chaos",),
        results=results,
        details={**outcome.details, "faults": outcome.faults},
    )
