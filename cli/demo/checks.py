"""What the demo claims, and whether it held."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """One claim, tried once or as often as there are tenants."""

    tried: str
    passed: bool
    answer: str
    """What came of it: what was seen, or how it was refused."""
    times: int = 1
    times_passed: int | None = None
    """None: every time, if `passed`; otherwise never."""

    @property
    def count(self) -> str:
        """How often it held, of how often it was tried: `3/3`."""
        held = (self.times if self.passed else 0) if self.times_passed is None else self.times_passed
        return f"{held}/{self.times}"


def for_each(tried: str, results: Sequence[Check]) -> Check:
    """Return one check for the same of many tenants: passed when all are, with the answer of one of them."""
    failed = [result for result in results if not result.passed]
    shown = failed[0] if failed else results[0]
    answer = f"{shown.tried}: {shown.answer}" if shown.tried != tried else shown.answer
    return Check(tried, not failed, answer, len(results), len(results) - len(failed))
