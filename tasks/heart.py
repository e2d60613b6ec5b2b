"""The heartbeat: extends the leases of exactly what this process runs, and stops a body that has lost its own."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import SQLAlchemyError

from db import workers
from db.attempts import Attempt
from db.context import TenantContext
from db.errors import LeaseLostError, PartywallError
from db.jobs import JobState
from db.roles import Role
from db.session import platform_connection
from tasks import identity, registry
from tasks.errors import JobCancelledError
from tasks.settings import TaskSettings
from tasks.stopping import Reason, Stop

BEAT_SECONDS = 1.0
"""How often the leases are looked at while something runs. A body learns within two of these that it was cancelled."""
WATCH_SECONDS = 0.5
"""How often it is looked, without asking anybody, whether a lease is over."""
IDLE_BEATS = 15
"""An idle process says that it is there once in so many."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Held:
    attempt: Attempt
    stop: Stop
    expires_at: float
    """On this machine's monotonic clock, which no step of the wall clock moves. The lease lasts at least so long."""


class Heart:
    """One per process, in a thread: a process that stands still does not beat, and loses its jobs."""

    def __init__(self, *, lease_seconds: float) -> None:
        self.lease_seconds = lease_seconds
        self._held: dict[TenantContext, _Held] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        # Another one, because a network that swallows packets lets the first wait for an answer without end.
        self._watch_thread = threading.Thread(target=self._watch, name="lease-watch", daemon=True)

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()
        self._watch_thread.start()

    def stop(self) -> None:
        """Beat no more, and take this process off the list of those that run bodies."""
        self._ended.set()
        self._thread.join(timeout=5)
        if self._thread.is_alive():
            # It waits for PostgreSQL, and so would what is said there now.
            log.info("worker_not_forgotten")
            return
        try:
            with platform_connection(Role.WORKER) as connection:
                workers.forget(connection, identity.identity())
        except (SQLAlchemyError, PartywallError):
            # The reaper forgets it, ten minutes later.
            log.info("worker_not_forgotten")

    @contextmanager
    def holding(self, attempt: Attempt) -> Iterator[Stop]:
        """Extend the attempt's lease while the block runs; what it yields tells the body when it has lost it."""
        stop = Stop()
        with self._lock:
            self._held[attempt.context] = _Held(attempt, stop, time.monotonic() + self.lease_seconds)
        try:
            yield stop
        finally:
            with self._lock:
                del self._held[attempt.context]

    def _run(self) -> None:
        beats = 0
        while True:
            try:
                self._beat(is_idle_turn=beats % IDLE_BEATS == 0)
            except Exception:
                log.exception("heartbeat_failed")
            beats += 1
            if self._ended.wait(BEAT_SECONDS):
                return

    def _beat(self, *, is_idle_turn: bool) -> None:
        with self._lock:
            held = dict(self._held)
        if not held and not is_idle_turn:
            return
        asked_at = time.monotonic()
        try:
            lost = self._ask(list(held), is_idle_turn=is_idle_turn)
        except (SQLAlchemyError, PartywallError) as away:
            log.warning("heartbeat_missed", reason=type(away).__name__, running=len(held))
            return
        for context, each in held.items():
            if context in lost:
                was_cancelled = lost[context] is JobState.CANCELLED
                self._give_up(each, JobCancelledError if was_cancelled else LeaseLostError)
            else:
                # Extended when a third of it is used up, so two thirds are left at least.
                each.expires_at = max(each.expires_at, asked_at + self.lease_seconds * 2 / 3)

    def _watch(self) -> None:
        while not self._ended.wait(WATCH_SECONDS):
            with self._lock:
                held = list(self._held.values())
            for each in held:
                if time.monotonic() >= each.expires_at:
                    self._give_up(each, LeaseLostError)

    def _ask(self, held: list[TenantContext], *, is_idle_turn: bool) -> dict[TenantContext, JobState | None]:
        me = identity.identity()
        with platform_connection(Role.WORKER) as connection:
            if is_idle_turn:
                workers.register(
                    connection,
                    me,
                    pool=identity.pool(),
                    queues=identity.queues(),
                    slots=identity.slots(),
                    tasks=list(registry.declared()),
                )
            return workers.heartbeat(connection, me, held, lease_seconds=self.lease_seconds) if held else {}

    def _give_up(self, held: _Held, reason: Reason) -> None:
        if held.attempt.context not in self._held:
            return  # it has ended while its lease was asked for
        if held.stop.reason is None:
            log.warning("body_told_to_stop", job=str(held.attempt.job_id), reason=reason.__name__)
        held.stop.ask(reason)


_heart: Heart | None = None


def heart() -> Heart:
    """Return this process's heart, beating since the first time it was asked for."""
    global _heart
    if _heart is None:
        _heart = Heart(lease_seconds=TaskSettings.load().lease_seconds)
        _heart.start()
    return _heart


def stop_heart() -> None:
    """Let this process's heart rest: it ends."""
    global _heart
    if _heart is not None:
        _heart.stop()
        _heart = None


def _forget() -> None:
    # Threads do not cross a fork.
    global _heart
    _heart = None


os.register_at_fork(after_in_child=_forget)
