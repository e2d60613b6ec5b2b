"""Ctrl-C, and its relatives: what is started gets stopped, and the stopping is not interrupted."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # HUP: the terminal was closed
_AGAIN_SECONDS = 0.05


@contextmanager
def interrupted_once() -> Iterator[None]:
    """Let the first INT, TERM or HUP raise KeyboardInterrupt in the block, and ignore the others.

    They would interrupt the stopping that the first one began, and leave half of the stack running.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    def again(lost: "UnraisableHookArgs") -> None:
        # It struck in a destructor or a callback, which swallow what is raised in them. Without us nobody could
        # interrupt any more.
        if issubclass(lost.exc_type, KeyboardInterrupt):
            signal.signal(signal.SIGINT, interrupt)
            threading.Timer(_AGAIN_SECONDS, os.kill, (os.getpid(), signal.SIGINT)).start()
        else:
            hook_before(lost)

    hook_before, sys.unraisablehook = sys.unraisablehook, again
    before = [signal.signal(number, interrupt) for number in _SIGNALS]
    try:
        yield
    finally:
        sys.unraisablehook = hook_before
        for number, handler in zip(_SIGNALS, before, strict=True):
            signal.signal(number, handler)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Ignore INT, TERM and HUP in the block: for what has to be done to its end."""
    before = [signal.signal(number, signal.SIG_IGN) for number in _SIGNALS]
    try:
        yield
    finally:
        for number, handler in zip(_SIGNALS, before, strict=True):
            signal.signal(number, handler)
