"""The event loop that `async def` bodies run on: one per process, in a thread of its own, made on first use."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import structlog
from sqlalchemy.util.concurrency import greenlet_spawn

from db.engine import dispose_async_engines
from tasks.belongings import create_task
from tasks.errors import LoopBlockedError
from tasks.time_limit import SOFT_LIMIT_SIGNAL

Result = TypeVar("Result")

log = structlog.get_logger(__name__)

_starting = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None
_thread: threading.Thread | None = None


def run_on_loop(work: Callable[[], Result]) -> Result:
    """Return what `work()` returns, run on the loop: its database connections wait there, and others run meanwhile.

    `work` is an ordinary function that may `await_()`.

    Raises:
        LoopBlockedError: called on the loop, which would wait for itself.
    """
    refuse_on_loop()
    loop = _running_loop()
    run = _Run(work)
    loop.call_soon_threadsafe(run.start)
    try:
        run.ended.wait()
    except BaseException:
        # The wait was interrupted, not the work: nothing of it goes on behind the caller's back.
        loop.call_soon_threadsafe(run.cancel)
        run.ended.wait()
        raise
    return run.result()


class _Run(Generic[Result]):
    """One piece of work on the loop, and another thread that waits for it."""

    def __init__(self, work: Callable[[], Result]) -> None:
        self._work = work
        self._task: asyncio.Task[Result]
        self.ended = threading.Event()

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(greenlet_spawn(self._work))
        self._task.add_done_callback(lambda _: self.ended.set())

    def cancel(self) -> None:
        self._task.cancel()

    def result(self) -> Result:
        return self._task.result()


def is_on_loop() -> bool:
    """Return whether this is the loop's thread."""
    return threading.current_thread() is _thread


def refuse_on_loop() -> None:
    """Raise where waiting would stop every body of the process.

    Raises:
        LoopBlockedError: this is the loop's thread.
    """
    if is_on_loop():
        raise LoopBlockedError(hint="Await the body as a function, publish a call, or enqueue a job: job.enqueue().")


def close_loop() -> None:
    """End the loop and its connections. The next use makes another."""
    global _loop, _thread
    with _starting:
        loop, thread, _loop, _thread = _loop, _thread, None, None
    if loop is None or thread is None:
        return
    asyncio.run_coroutine_threadsafe(dispose_async_engines(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def _running_loop() -> asyncio.AbstractEventLoop:
    global _loop, _thread
    with _starting:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            _loop.set_task_factory(create_task)
            _loop.set_exception_handler(_report)
            _thread = threading.Thread(target=_serve, args=(_loop,), name="async-bodies", daemon=True)
            _thread.start()
        return _loop


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    # Celery's signal is for the main thread, and only while a synchronous body runs there.
    signal.pthread_sigmask(signal.SIG_BLOCK, {SOFT_LIMIT_SIGNAL})
    asyncio.set_event_loop(loop)
    while True:
        try:
            loop.run_forever()
        except (SystemExit, KeyboardInterrupt) as stop:
            # A task that a body had started called sys.exit(). asyncio would end the loop, and with it every body.
            log.warning("loop_resumed", after=type(stop).__name__)
        else:
            return


def _report(loop: asyncio.AbstractEventLoop, about: dict[str, Any]) -> None:
    # Not the exception itself: its text may quote a tenant's data.
    log.warning("loop_error", message=about.get("message"), error=type(about.get("exception")).__name__)


def _forget() -> None:
    # Threads do not cross a fork, so the parent's loop is nobody's here.
    global _starting, _loop, _thread
    _starting, _loop, _thread = threading.Lock(), None, None


os.register_at_fork(after_in_child=_forget)
