"""Ending a body from outside: when its time is up where Celery cannot signal it, and when its lease is gone."""

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
from db.attempts import CancelUnansweredError
from tasks.stopping import Stop

Result = TypeVar("Result")

SOFT_LIMIT_SIGNAL = signal.SIGUSR1
"""What Celery sends a prefork child whose task is over its soft time limit."""
WAKING_SIGNAL = signal.SIGURG
"""What wakes a body of a prefork child that waits in a system call. Ignored by everybody who does not ask for it."""
BARK_AGAIN_SECONDS = 0.25
"""A body that swallows the exception or starts another query is interrupted again."""


def run_within(seconds: float, connection: Connection, stop: Stop, work: Callable[[], Result]) -> Result:
    """Return what `work()` returns; raise inside it SoftTimeLimitExceeded when it takes longer, or why it has to stop.

    In a process of its own (prefork) Celery signals the main thread when the time is up. Elsewhere, and when `stop` is
    asked, the running query is cancelled, or the exception is raised in the thread at its next Python instruction.
    """
    watchdog = _Watchdog(seconds, connection, sys._getframe())
    if not _signalled_by_celery:
        watchdog.start()
    try:
        with stop.reaching(watchdog.bark):
            return _open_to_signals(work) if _signalled_by_celery else work()
    except Exception as error:
        reason = watchdog.stop()
        if reason is not None and not isinstance(error, reason):
            # The body saw its query cancelled; what happened is that it was to stop.
            raise reason from error
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
    signal.signal(WAKING_SIGNAL, _wake)


def _wake(*_: object) -> None:
    """Do nothing: that it came ends the system call the body waits in, and what was asked of its thread happens."""


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
    """Ends a body that has to stop: cancels its query, or raises in its thread. Barks by itself when its time is up."""

    def __init__(self, seconds: float, connection: Connection, frame: FrameType) -> None:
        self._seconds = seconds
        self._connection = connection
        self._frame = frame
        self._body = threading.get_ident()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._over = False
        self._barked: type[Exception] | None = None
        self._can_cancel = True
        self._thread = threading.Thread(target=self._watch, name="soft-time-limit", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> type[Exception] | None:
        """Return why the body was to end. An exception that was asked for and not yet raised is taken back."""
        # First, and in one instruction: the exception may strike anywhere below, and the next body on this thread,
        # another tenant's perhaps, must not be the one that is ended.
        self._over = True
        self._ended.set()
        with self._lock:
            if self._barked is not None:
                _raise_in(self._body, None)
            return self._barked

    def bark(self, reason: type[Exception]) -> bool:
        """End the body if it still runs; return whether it does. Again at will: it may swallow the exception."""
        with self._lock:
            if self._over or not self._body_is_running():
                return False
            self._barked = self._barked or reason
            # Never in the middle of a query: the exception would break the protocol off and cost the connection. Unless
            # there is nobody who could cancel it.
            if not self._cancelled():
                _raise_in(self._body, self._barked)
                if _signalled_by_celery:
                    signal.pthread_kill(self._body, WAKING_SIGNAL)
            return True

    def _cancelled(self) -> bool:
        try:
            return self._can_cancel and attempts.interrupt(self._connection)
        except CancelUnansweredError:
            # Not asked twice: it costs seconds each time, and the body's thread may be waiting for us.
            self._can_cancel = False
            return False
        except SQLAlchemyError:
            # The connection is being replaced under us: nothing to cancel, but the body is still there.
            return False

    def _watch(self) -> None:
        pause = self._seconds
        while not self._ended.wait(pause) and self.bark(SoftTimeLimitExceeded):
            pause = BARK_AGAIN_SECONDS

    def _body_is_running(self) -> bool:
        # The exception may strike on the way into stop(), which then never gets to say that the body is over.
        frame = sys._current_frames().get(self._body)
        while frame is not None and frame is not self._frame:
            frame = frame.f_back
        return frame is not None


def _raise_in(thread_id: int, kind: type[BaseException] | None) -> None:
    exception = ctypes.py_object(kind) if kind is not None else None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread_id), exception)
