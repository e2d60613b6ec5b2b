"""The soft time limit where Celery has none: a thread cannot be signalled, so a watchdog interrupts it."""

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from celery.exceptions import SoftTimeLimitExceeded
from sqlalchemy import Connection

from db import attempts

BARK_AGAIN_SECONDS = 0.25
"""A body that swallows the exception or starts another query is interrupted again."""


@contextmanager
def soft_time_limit(seconds: float, connection: Connection) -> Iterator[None]:
    """Raise SoftTimeLimitExceeded inside the block when it takes longer.

    In a process of its own (prefork) Celery signals the main thread and nothing is done here. Elsewhere the running
    query is cancelled and the exception is raised in the thread at its next Python instruction.
    """
    if threading.current_thread() is threading.main_thread():
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
        watchdog.stop()


class _Watchdog:
    """Ends a body that is over its time: cancels its query, or raises in its thread, until it has ended."""

    def __init__(self, seconds: float, connection: Connection) -> None:
        self._seconds = seconds
        self._connection = connection
        self._body = threading.get_ident()
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._barked = False
        self._thread = threading.Thread(target=self._watch, name="soft-time-limit", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> bool:
        """Return whether the time was up. An exception that was asked for and not yet raised is taken back."""
        with self._lock:
            if self._barked and not self._ended.is_set():
                _raise_in(self._body, None)
            self._ended.set()
            return self._barked

    def _watch(self) -> None:
        pause = self._seconds
        while not self._ended.wait(pause):
            with self._lock:
                if not self._ended.is_set():
                    self._bark()
            pause = BARK_AGAIN_SECONDS

    def _bark(self) -> None:
        self._barked = True
        # Never in the middle of a query: the exception would break the protocol off and cost the connection.
        if not attempts.interrupt(self._connection):
            _raise_in(self._body, SoftTimeLimitExceeded)


def _raise_in(thread_id: int, kind: type[BaseException] | None) -> None:
    exception = ctypes.py_object(kind) if kind is not None else None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread_id), exception)
