"""Waiting for an event with a deadline. No test sleeps for a guess."""

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")


def wait_until(ask: Callable[[], Value], *, timeout_seconds: float, what: str | None = None) -> Value:
    """Return the first true answer of `ask`; fail the test when there is none within the time."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_seconds} s: {what or ask}")
        time.sleep(0.02)
