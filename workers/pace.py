"""How much of its time a process works that others share the processor with: a share, but bursts are free."""

import time
from collections.abc import Callable


class Pace:
    """Work is paid from an account that fills while time passes. Who has little to do never waits for it."""

    def __init__(self, *, share: float, burst_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._share = share
        self._burst_seconds = burst_seconds
        self._clock = clock
        self._saved_seconds = burst_seconds
        self._looked_at = clock()

    def rest_after(self, worked_seconds: float) -> float:
        """Return how long to rest after so much work, in seconds, for it to be no more than the share."""
        now = self._clock()
        saved = self._saved_seconds + (now - self._looked_at) * self._share
        self._saved_seconds = min(saved, self._burst_seconds) - worked_seconds
        self._looked_at = now
        return max(0.0, -self._saved_seconds) / self._share
