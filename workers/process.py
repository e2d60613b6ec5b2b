"""What a worker's processes do besides running tasks: log, check before they start, share nothing over a fork."""

import logging
import os
import signal
import threading
import time
from typing import Any

import structlog
from celery import signals

from db.engine import need_connections
from db.roles import Role
from db.settings import DatabaseSettings
from tasks import identity
from tasks.heart import heart, stop_heart
from tasks.logs import configure_logging
from tasks.settings import TaskSettings
from tasks.startup import starting
from tasks.time_limit import leave_limits_to_celery
from workers.pools import PREFORK, SOLO, require_pool, require_slots
from workers.unreadable import log_without_contents

LOOK_SECONDS = 1.0
"""How long a killed child's job may go unnoticed."""

log = structlog.get_logger(__name__)


def connect_signals() -> None:
    """Hook into Celery's signals. None of them touches a tenant's context: Celery swallows what receivers raise."""
    signals.setup_logging.connect(_configure_logging)
    signals.worker_init.connect(_prepare)
    signals.beat_init.connect(_prepare_beat)


def _configure_logging(loglevel: int = logging.INFO, **_: Any) -> None:
    configure_logging("celery", level=loglevel)
    log_without_contents()


def _prepare(sender: Any, **_: Any) -> None:
    # In the main process, before it forks; the children open engines of their own on first use. Celery sets logging up
    # only after this.
    configure_logging("celery")
    with starting(*_roles()):
        pool = require_pool(sender.pool_cls)
        slots = 1 if pool == PREFORK else require_slots(_slots(sender.concurrency))
    if pool == SOLO:
        # While its body runs nobody answers RabbitMQ's heartbeats, and it would give the message to another worker.
        sender.app.conf.broker_heartbeat = 0
    identity.describe(hostname=sender.hostname, pool=pool, queues=_queues(sender), slots=slots)
    signals.worker_shutting_down.connect(_hand_back_after_grace)
    if pool == PREFORK:
        # A process with one body, which Celery's main process can signal and kill. Not of solo, whose one process
        # sends this signal too and has nobody beside it.
        signals.worker_process_init.connect(_begin_child)
        signals.worker_process_shutdown.connect(_end_child)
        signals.worker_ready.connect(_look_for_the_dead)
    else:
        # Bodies share this process: one connection each, one each for progress, and one for a call they `.apply()`; and
        # one for the heartbeat of all.
        need_connections(3 * slots + 1)
        signals.worker_ready.connect(_begin_beating)
        signals.worker_shutdown.connect(_end_child)


def _prepare_beat(**_: Any) -> None:
    # Beat itself only sends; what it sends the scheduler's login does. It is asked here, because here is who goes on
    # sending when that login could do more than start what was declared.
    with starting(Role.SCHEDULER):
        log.info("beat_started")


def _roles() -> list[Role]:
    # A worker that serves the queue "platform" holds the scheduler's DSN as well.
    holds_both = DatabaseSettings.load().scheduler_database_url is not None
    return [Role.WORKER, Role.SCHEDULER] if holds_both else [Role.WORKER]


def _slots(concurrency: int | str) -> int:
    # "auto" is made a number only later, and never a larger one.
    return concurrency if isinstance(concurrency, int) else (os.cpu_count() or 1)


def _queues(sender: Any) -> list[str]:
    return sorted(sender.app.amqp.queues.consume_from)


def _look_for_the_dead(sender: Any, **_: Any) -> None:
    # Celery notices at once that a child is gone, and only at its next look, every five seconds, what that child ran.
    sender.hub.call_repeatedly(LOOK_SECONDS, sender.pool.maintain_pool)


def _begin_child(**_: Any) -> None:
    leave_limits_to_celery()
    _begin_beating()


def _begin_beating(**_: Any) -> None:
    heart()


def _end_child(**_: Any) -> None:
    stop_heart()


def _hand_back_after_grace(how: str, **_: Any) -> None:
    # Told to stop it takes no more and lets what runs end. Celery's own soft shutdown would sleep its whole timeout
    # however soon that is; so a thread waits, and what it sends is what a second signal would be.
    if how != "Warm":
        return
    if _told_to_stop.is_set():
        # Told twice. Celery lets a second TERM pass; whoever sends it will not wait for the grace.
        os.kill(os.getpid(), signal.SIGQUIT)
        return
    _told_to_stop.set()
    grace = TaskSettings.load().shutdown_grace_seconds
    threading.Thread(target=_signal_after, args=(grace,), name="shutdown-grace", daemon=True).start()


_told_to_stop = threading.Event()


def _signal_after(seconds: float) -> None:
    time.sleep(seconds)
    log.warning("shutdown_grace_over", seconds=seconds)
    os.kill(os.getpid(), signal.SIGQUIT)
