"""One `up` or `down` at a time per home."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from cli.stack.deadline import wait_until
from cli.stack.errors import StackBusyError
from cli.stack.home import Home


@contextmanager
def home_lock(home: Home, *, wait_seconds: float = 0) -> Iterator[None]:
    """Hold the home for the block. The lock dies with its process, so a crash leaves none behind.

    Raises:
        StackBusyError: somebody else held it for all of `wait_seconds`.
    """
    with (home.run / "lock").open("w") as file:
        if not wait_until(lambda: _try_lock(file), timeout_seconds=wait_seconds):
            raise StackBusyError(home=home.root, hint="Wait until it is done, or press Ctrl-C where it runs.")
        yield


def _try_lock(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
