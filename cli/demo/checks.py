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


def for_each(tried: str, results: Sequence[Check], *, answer: str | None = None) -> Check:
    """Return one check for the same of many tenants: passed when all are.

    Its answer is `answer`, else that of the first; of the first that failed, if one did.
    """
    failed = [result for result in results if not result.passed]
    shown = answer or results[0].answer
    if failed:
        shown = f"{failed[0].tried}: {failed[0].answer}"
    return Check(tried, not failed, shown, len(results), len(results) - len(failed))
