"""Waiting for an event, never for a guess."""

import time
from collections.abc import Callable


def wait_until(predicate: Callable[[], bool], *, timeout_seconds: float, interval_seconds: float = 0.05) -> bool:
    """Return True as soon as `predicate()` is true, False if it was not within `timeout_seconds`.

    It is asked at least once, and once more when the time is up.
    """
    deadline = time.monotonic() + timeout_seconds
    while not predicate():
        left = deadline - time.monotonic()
        if left <= 0:
            return predicate()
        time.sleep(min(interval_seconds, left))
    return True
