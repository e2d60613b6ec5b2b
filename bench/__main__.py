"""`make bench` and its parts: measure, compare with what is required, write it down."""

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Final

from bench.ending import run_to_end
from bench.report import report
from cli.interruption import interrupted_once


def _transactions(arguments: Sequence[str]) -> int:
    from bench import transactions

    return report("transactions", *transactions.run())


def _context(arguments: Sequence[str]) -> int:
    from bench import context

    return report("context", *context.run())


def _retention(arguments: Sequence[str]) -> int:
    from bench import retention

    return report("retention", *retention.run())


def _own_command(package: str) -> Callable[[Sequence[str]], int]:
    def run(arguments: Sequence[str]) -> int:
        return int(import_module(f"bench.{package}.command").run(arguments))

    return run


TARGETS: Final[Mapping[str, Callable[[Sequence[str]], int]]] = {
    "transactions": _transactions,
    "context": _context,
    "retention": _retention,
    "throughput": _own_command("throughput"),
    "fairness": _own_command("fairness"),
}


def main() -> int:
    """Run the named target, or all, each in a process of its own; return 0 when all requirements are met, else 1."""
    if len(sys.argv) == 1:
        with interrupted_once():
            codes = [run_to_end([sys.executable, "-m", "bench", target]) for target in TARGETS]
            return int(any(codes))
    with interrupted_once():
        return TARGETS[sys.argv[1]](sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
