"""The soft time limit where Celery has none: a thread cannot be signalled, so a watchdog interrupts it."""

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from celery.exceptions import SoftTimeLimitExceeded
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from db import attempts

BARK_AGAIN_SECONDS = 0.25
"""A body that swallows the exception or starts another query is interrupted again."""


@contextmanager
def soft_time_limit(seconds: float, connection: Connection) -> Iterator[None]:
    """Raise SoftTimeLimitExceeded inside the block when it takes longer.

    In a process of its own (prefork) Celery signals the main thread and nothing is done here. Elsewhere the running
    query is cancelled, or the exception is raised in the thread at its next Python instruction.
    """
    if _signalled_by_celery:
        yield
        return
    watchdog = _Watchdog(seconds, connection)
    watchdog.start()
    try:
        yield
    except Exception as error:
        if watchdog.stop() and not isinstance(error, SoftTimeLimitExceeded):
            # The body saw its query cancelled; what happened is that its time was up.
            raise SoftTimeLimitExceeded(seconds) from error
        raise
    finally:
        try:
            watchdog.stop()
        except SoftTimeLimitExceeded:
            # It struck on the way in. The next one is a quarter of a second away; now there will be none.
            watchdog.stop()
            raise


_signalled_by_celery = False


def leave_limits_to_celery() -> None:
    """Say that this process has one body at a time, which Celery's main process signals."""
    global _signalled_by_celery
    _signalled_by_celery = True


class _Watchdog:
    """Ends a body that is over its time: cancels its query, or raises in its thread, until it has ended."""

    def __init__(self, seconds: float, connection: Connection) -> None:
        self._seconds = seconds
        self._connection = connection
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
        while not self._ended.wait(pause) and not self._over:
            with self._lock:
                if not self._over:
                    self._bark()
            pause = BARK_AGAIN_SECONDS

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
