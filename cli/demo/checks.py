"""What the demo claims, and whether it held."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """One claim, tried."""

    tried: str
    passed: bool
    answer: str
    """What came of it: what was seen, or how it was refused."""


def for_each(tried: str, results: Iterable[Check]) -> Check:
    """Return one check for the same of many tenants: passed when all are, with the answer of one of them."""
    listed = list(results)
    failed = [result for result in listed if not result.passed]
    if failed:
        return Check(tried, False, f"{failed[0].tried}: {failed[0].answer} ({len(failed)} of {len(listed)} failed)")
    return Check(tried, True, f"{listed[0].answer} ({len(listed)} of {len(listed)} tenants)")
