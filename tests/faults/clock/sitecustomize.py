"""On PYTHONPATH, shifts a Python process's wall clock by the seconds that stand in the file CLOCK_SHIFT_FILE.

Python imports a module of this name before anything else. The monotonic clock stays: no step of the clock moves it.
"""

import datetime
import os
import time
from pathlib import Path

FILE = Path(os.environ["CLOCK_SHIFT_FILE"])
_time, _time_ns = time.time, time.time_ns
RealDatetime = datetime.datetime


def shift() -> float:
    """Return how far the clock is wrong at this moment."""
    return float(FILE.read_text() or 0)


class _Shifted(type):
    # What the real class makes is still an instance of the one that everybody sees.
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, RealDatetime)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, RealDatetime)


class ShiftedDatetime(RealDatetime, metaclass=_Shifted):
    """The class `datetime`, by the shifted clock."""

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> "ShiftedDatetime":
        """Return what this machine takes for now."""
        return cls.fromtimestamp(time.time(), tz)

    @classmethod
    def utcnow(cls) -> "ShiftedDatetime":
        """Return what this machine takes for now, without a zone."""
        return cls.fromtimestamp(time.time(), datetime.UTC).replace(tzinfo=None)


time.time = lambda: _time() + shift()
time.time_ns = lambda: _time_ns() + int(shift() * 1_000_000_000)
datetime.datetime = ShiftedDatetime  # type: ignore[misc]
