"""The soft time limit where Celery has none: a thread cannot be signalled, so a watchdog interrupts it."""

import ctypes
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

from celery.exceptions import SoftTimeLimitExceeded
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from db import attempts

Result = TypeVar("Result")

SOFT_LIMIT_SIGNAL = signal.SIGUSR1
"""What Celery sends a prefork child whose task is over its soft time limit."""
BARK_AGAIN_SECONDS = 0.25
"""A body that swallows the exception or starts another query is interrupted again."""


def run_within(seconds: float, connection: Connection, work: Callable[[], Result]) -> Result:
    """Return what `work()` returns, or raise SoftTimeLimitExceeded inside it when it takes longer.

    In a process of its own (prefork) Celery signals the main thread and nothing is done here. Elsewhere the running
    query is cancelled, or the exception is raised in the thread at its next Python instruction.
    """
    if _signalled_by_celery:
        return _open_to_signals(work)
    watchdog = _Watchdog(seconds, connection, sys._getframe())
    watchdog.start()
    try:
        return work()
    except Exception as error:
        if watchdog.stop() and not isinstance(error, SoftTimeLimitExceeded):
            # The body saw its query cancelled; what happened is that its time was up.
            raise SoftTimeLimitExceeded(seconds) from error
        raise
    finally:
        watchdog.stop()


_signalled_by_celery = False


def leave_limits_to_celery() -> None:
    """Say that this process has one body at a time, which Celery's main process signals.

    From now on its signal reaches bodies only: struck anywhere else, in the pool of connections for instance, the
    exception would break what nobody puts right.
    """
    global _signalled_by_celery
    _signalled_by_celery = True
    signal.pthread_sigmask(signal.SIG_BLOCK, {SOFT_LIMIT_SIGNAL})


def _open_to_signals(work: Callable[[], Result]) -> Result:
    if SOFT_LIMIT_SIGNAL in signal.sigpending():
        # Sent for the body before this one, which ended first.
        signal.sigwait({SOFT_LIMIT_SIGNAL})
    before = signal.pthread_sigmask(signal.SIG_UNBLOCK, {SOFT_LIMIT_SIGNAL})
    try:
        return work()
    finally:
        # As it was: a body may run another one with `.apply()`, and its own time goes on after that.
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Watchdog:
    """Ends a body that is over its time: cancels its query, or raises in its thread, until it has ended."""

    def __init__(self, seconds: float, connection: Connection, frame: FrameType) -> None:
        self._seconds = seconds
        self._connection = connection
        self._frame = frame
        self._body = threading.get_ident()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._over = False
        self._barked = False
        self._thread = threading.Thread(target=self._watch, name="soft-time-limit", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> bool:
        """Return whether the time was up. An exception that was asked for and not yet raised is taken back."""
        # First, and in one instruction: the exception may strike anywhere below, and the next body on this thread,
        # another tenant's perhaps, must not be the one that is ended.
        self._over = True
        self._ended.set()
        with self._lock:
            if self._barked:
                _raise_in(self._body, None)
            return self._barked

    def _watch(self) -> None:
        pause = self._seconds
        while not self._ended.wait(pause):
            with self._lock:
                if self._over or not self._body_is_running():
                    return
                self._bark()
            pause = BARK_AGAIN_SECONDS

    def _body_is_running(self) -> bool:
        # The exception may strike on the way into stop(), which then never gets to say that the body is over.
        frame = sys._current_frames().get(self._body)
        while frame is not None and frame is not self._frame:
            frame = frame.f_back
        return frame is not None

    def _bark(self) -> None:
        self._barked = True
        try:
            cancelled = attempts.interrupt(self._connection)
        except SQLAlchemyError:
            # The connection is being replaced under us: nothing to cancel, but the body is still there.
            cancelled = False
        # Never in the middle of a query: the exception would break the protocol off and cost the connection.
        if not cancelled:
            _raise_in(self._body, SoftTimeLimitExceeded)


def _raise_in(thread_id: int, kind: type[BaseException] | None) -> None:
    exception = ctypes.py_object(kind) if kind is not None else None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread_id), exception)
