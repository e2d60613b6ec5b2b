"""What was heard of since the last dispatch, and when it is time to look at everything instead."""

import time
from collections.abc import Iterable

LOOK_SECONDS = 1.0
"""How long an arrival may go unnoticed whose notification was lost, while there are few tenants."""
LOOK_SHARE = 0.02
"""Looking at everything takes longer the more tenants wait; it gets this share of the time."""
MOST_HEARD = 1000
"""More at once are not opened one by one."""


class Arrivals:
    """Notifications on their way to `dispatch()`. Nothing depends on one of them: all is looked at now and then."""

    def __init__(self) -> None:
        self._heard: set[str] = set()
        self._looks_at = 0.0

    def hear(self, notifications: Iterable[str]) -> None:
        """Keep what was notified for the next dispatch."""
        self._heard.update(notifications)

    def look_everywhere(self) -> None:
        """Let the next dispatch look at every tenant: something may have been missed."""
        self._looks_at = 0.0

    def take(self) -> list[str] | None:
        """Return what was heard since the last call; None when every tenant is to be looked at."""
        heard, self._heard = self._heard, set()
        # An empty one says that there are too many to name.
        everywhere = time.monotonic() >= self._looks_at or "" in heard or len(heard) > MOST_HEARD
        return None if everywhere else list(heard)

    def looked_everywhere(self, *, took_seconds: float) -> None:
        """Note what that cost, which decides how soon it happens again."""
        self._looks_at = time.monotonic() + max(LOOK_SECONDS, took_seconds / LOOK_SHARE)
