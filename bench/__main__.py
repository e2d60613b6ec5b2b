"""`make bench`: measure, compare with what is required, write it down."""

import json
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import transactions
from bench.requirement import requirements

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("sqlalchemy", "psycopg", "celery", "redis")


def main() -> int:
    """Print a row for each requirement; return 0 when all are met, else 1."""
    figures = transactions.measure()
    judged = [(each, figures[each.name], each.is_met_by(figures[each.name])) for each in requirements("transactions")]

    table = Table("figure", "required", "measured", "")
    for requirement, figure, is_met in judged:
        table.add_row(requirement.name, str(requirement), f"{figure:.3g}", "ok" if is_met else "MISSED")
    for name in sorted(figures.keys() - {requirement.name for requirement, _, _ in judged}):
        table.add_row(name, "", f"{figures[name]:.3g}", "")
    Console().print(table)

    result = {
        "target": "transactions",
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "host": {"machine": platform.machine(), "python": platform.python_version()},
        "packages": {name: version(name) for name in PACKAGES},
        "figures": figures,
        "missed": [requirement.name for requirement, _, is_met in judged if not is_met],
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / "transactions.json"
    path.write_text(json.dumps(result, indent=2) + "\n")
    print(f"written: {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}")
    return 1 if result["missed"] else 0


if __name__ == "__main__":
    sys.exit(main())
