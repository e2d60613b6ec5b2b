"""Telling whoever waits how far a measurement is."""

import sys
import time


def say(what: str) -> None:
    """Write a line with the time."""
    print(f"{time.strftime('%X')} {what}", file=sys.stderr, flush=True)
