"""`make bench`, `bench-context` and `bench-retention`: measure, compare with what is required, write it down."""

import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

from bench import context, retention, transactions
from bench.report import report

TARGETS: Final[Mapping[str, Callable[[], tuple[Any, ...]]]] = {
    "transactions": transactions.run,
    "context": context.run,
    "retention": retention.run,
}


def main() -> int:
    """Run the named target, `transactions` by default; return 0 when all its requirements are met, else 1."""
    target = sys.argv[1] if len(sys.argv) > 1 else "transactions"
    return report(target, *TARGETS[target]())


if __name__ == "__main__":
    sys.exit(main())
