"""How much of its time a process works that others share the processor with: a share, but bursts are free."""

import time
from collections.abc import Callable


class Pace:
    """Work is paid from an account that fills while time passes. Who has little to do never waits for it.

    The account is never overdrawn by more than a burst: whoever could not rest for long, or had one long piece of work,
    does not fall silent for it.
    """

    def __init__(self, *, share: float, burst_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._share = share
        self._burst_seconds = burst_seconds
        self._clock = clock
        self._saved_seconds = burst_seconds
        self._looked_at = clock()

    def rest_after(self, worked_seconds: float) -> float:
        """Return how long to rest, in seconds, after the work that has just ended: `burst_seconds / share` at most."""
        now = self._clock()
        rested_seconds = max(0.0, now - self._looked_at - worked_seconds)
        saved = min(self._saved_seconds + rested_seconds * self._share, self._burst_seconds)
        self._saved_seconds = max(-self._burst_seconds, saved - worked_seconds * (1 - self._share))
        self._looked_at = now
        return max(0.0, -self._saved_seconds) / self._share
