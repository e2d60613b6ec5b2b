"""Moments and spans as people type them."""

import re
from datetime import UTC, datetime

from cli.errors import BadInputError

_SPAN = re.compile(r"(?P<count>[0-9]{1,5})(?P<unit>[smhd])")
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def moment(spelled: str, *, option: str) -> datetime:
    """Return the moment that `2026-12-01T03:00Z` spells.

    Raises:
        BadInputError: it is none, or names no time zone. It names the option.
    """
    hint = "Write it as 2026-12-01T03:00Z or 2026-12-01T03:00+01:00."
    try:
        found = datetime.fromisoformat(spelled)
        if found.tzinfo is None:
            raise BadInputError(f"{option} {spelled} names no time zone", hint=hint)
        return found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadInputError(f"{option} {spelled} is not a moment", hint=hint) from None


def span_seconds(spelled: str, *, option: str) -> int:
    """Return how many seconds `90s`, `30m`, `1h` or `2d` are.

    Raises:
        BadInputError: it is not a span. It names the option.
    """
    found = _SPAN.fullmatch(spelled)
    if found is None:
        raise BadInputError(f"{option} {spelled} is not a span", hint="Write it as 90s, 30m, 1h or 2d.")
    return int(found["count"]) * _UNIT_SECONDS[found["unit"]]
