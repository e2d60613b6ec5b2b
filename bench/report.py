"""What a measuring target shows: every figure beside what is required of it, and a file to compare with later."""

import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.requirement import requirements

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("sqlalchemy", "psycopg", "celery", "kombu", "redis", "dramatiq", "procrastinate")


def report(
    target: str,
    figures: Mapping[str, float],
    measured: Sequence[Mapping[str, Any]] = (),
    *,
    required: Sequence[str] = (),
    results: Path = RESULTS,
    details: Mapping[str, Any] = MappingProxyType({}),
) -> int:
    """Print a row for each requirement and figure, write `<results>/<target>.json`; return 0 when all is met, else 1.

    `measured` is what the figures were taken from, rows of the same columns. It is printed and written too.
    `required` names the tables of requirements, where that is not the target's own. `details` are written only.
    """
    judged = [
        (each, figures[each.name], each.is_met_by(figures[each.name]))
        for table in required or (target,)
        for each in requirements(table)
    ]
    # In a pipe or a CI log nothing knows how wide a line may be, and the name of a figure may not be cut.
    console = Console(width=None if sys.stdout.isatty() else 190)
    if measured:
        console.print(_table(measured))
    table = Table("figure", "required", "measured", "")
    for requirement, figure, is_met in judged:
        table.add_row(requirement.name, str(requirement), f"{figure:.3g}", "ok" if is_met else "MISSED")
    for name in sorted(figures.keys() - {requirement.name for requirement, _, _ in judged}):
        table.add_row(name, "", f"{figures[name]:.3g}", "")
    console.print(table)

    result = {
        "target": target,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "host": {
            "machine": platform.machine(),
            "cores": os.cpu_count(),
            "kernel": platform.release(),
            "python": platform.python_version(),
            # Over the last 1, 5 and 15 minutes, our own processes with it.
            "load": [round(each, 2) for each in os.getloadavg()],
        },
        "packages": {name: version(name) for name in PACKAGES},
        "figures": dict(figures),
        "measured": list(measured),
        **details,
        "missed": [requirement.name for requirement, _, is_met in judged if not is_met],
    }
    results.mkdir(exist_ok=True)
    path = results / f"{target}.json"
    path.write_text(json.dumps(result, indent=2) + "\n")
    print(f"written: {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}")
    return 1 if result["missed"] else 0


def _table(measured: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(*measured[0])
    for row in measured:
        table.add_row(*[f"{cell:.1f}" if isinstance(cell, float) else str(cell) for cell in row.values()])
    return table
