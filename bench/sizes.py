"""How much is measured, as a command line says it: an option for each field of a dataclass."""

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from bench.report import RESULTS

Sizes = TypeVar("Sizes")


def sizes_from(
    arguments: Sequence[str], kind: type[Sizes], *, target: str, parts: Sequence[str] = ()
) -> tuple[Sizes, Path, list[str]]:
    """Return the sizes, the folder for results, and which of `parts` to measure: those that are named, or all."""
    parser = argparse.ArgumentParser(prog=f"python -m bench {target}")
    if parts:
        parser.add_argument("parts", nargs="*", metavar="part", help=", ".join(parts))
    fields: Any = dataclasses.fields(kind)  # type: ignore[arg-type]
    for each in fields:
        parser.add_argument(f"--{each.name.replace('_', '-')}", type=type(each.default), default=each.default)
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder for JSON and charts")
    given = vars(parser.parse_args(arguments))
    chosen = given.get("parts") or list(parts)
    if unknown := set(chosen) - set(parts):
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(parts)}")
    return kind(**{each.name: given[each.name] for each in fields}), given["results"], chosen
