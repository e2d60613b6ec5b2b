"""Many storms, one after the other: a line for each in `chaos-seeds.json`. `python -m bench.chaos.seeds` shows them."""

import json
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bench.chaos.plan import Plan
from bench.ending import run_to_end
from bench.report import RESULTS

NAME: Final = "chaos-seeds.json"
KEPT: Final = (
    "accepted",
    "succeeded",
    "failed",
    "attempts",
    "lost",
    "duplicated",
    "stray",
    "foreign",
    "zombie_commits_refused",
    "attempts_lost",
    "attempts_killed",
    "faults",
    "effects_amid_faults",
    "seconds_to_drain",
    "seconds_until_rate_is_back",
)
SHOWN: Final = tuple(name for name in KEPT if name not in ("attempts", "stray", "attempts_killed"))


def seeds(text: str) -> range:
    """Return the seeds that `3` or `1-10` names."""
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def run_each(plan: Plan, chosen: range, arguments: Sequence[str], results: Path) -> int:
    """Run each seed in a process of its own; return 0 when all requirements were met by all, else 1.

    What a seed came to takes the place of what it came to before. The first seed's whole result is kept, too.
    """
    results.mkdir(exist_ok=True)
    missed = False
    for seed in chosen:
        with tempfile.TemporaryDirectory() as directory:
            command = [sys.executable, "-m", "bench.chaos", *arguments, f"--seed={seed}", f"--results={directory}"]
            missed = run_to_end(command) != 0 or missed
            whole = Path(directory) / f"{plan.name}.json"
            result: dict[str, Any] = json.loads(whole.read_text()) if whole.exists() else {"missed": ["no result"]}
            if seed == 1 and whole.exists():
                (results / whole.name).write_text(whole.read_text())
        keep(results / NAME, plan.broker, seed, line_of(result))
    return int(missed)


def line_of(result: dict[str, Any]) -> dict[str, Any]:
    """Return what is kept of a run's result."""
    figures: dict[str, float] = result.get("figures", {})
    kept: dict[str, Any] = {name: round(figures[name], 1) for name in KEPT if name in figures}
    return {**kept, "missed": result["missed"], "measured_at": datetime.now(UTC).isoformat(timespec="seconds")}


def keep(file: Path, broker: str, seed: int, line: dict[str, Any]) -> None:
    """Put a line into the file, in the order of broker and seed."""
    lines: dict[str, dict[str, Any]] = json.loads(file.read_text()) if file.exists() else {}
    lines.setdefault(broker, {})[str(seed)] = line
    ordered = {
        each: dict(sorted(of_broker.items(), key=lambda item: int(item[0])))
        for each, of_broker in sorted(lines.items())
    }
    file.write_text(_a_line_each(ordered))


def _a_line_each(lines: dict[str, dict[str, Any]]) -> str:
    brokers = [
        f'  "{broker}": {{\n' + ",\n".join(f'    "{seed}": {json.dumps(line)}' for seed, line in of_broker.items())
        for broker, of_broker in lines.items()
    ]
    return "{\n" + "\n  },\n".join(brokers) + "\n  }\n}\n"


def markdown(file: Path) -> str:
    """Return the lines of the file as the table of README.md."""
    lines: dict[str, dict[str, dict[str, Any]]] = json.loads(file.read_text())
    rows = [
        f"| {broker} | {seed} | " + " | ".join(_cell(line.get(name)) for name in SHOWN) + " |"
        for broker, of_broker in lines.items()
        for seed, line in of_broker.items()
    ]
    titles = ["broker", "seed", *(name.replace("_", " ") for name in SHOWN)]
    return "\n".join([f"| {' | '.join(titles)} |", "|---" * len(titles) + "|", *rows])


def _cell(figure: float | None) -> str:
    return "" if figure is None else f"{figure:g}"


if __name__ == "__main__":
    print(markdown(RESULTS / NAME))
