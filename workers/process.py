"""What a worker's processes do besides running tasks: log, check before they start, share nothing over a fork."""

from typing import Any

from celery import signals

from db.engine import need_connections
from db.roles import Role
from tasks.logs import configure_logging
from tasks.startup import require_ready
from tasks.time_limit import leave_limits_to_celery


def connect_signals() -> None:
    """Hook into Celery's signals. None of them touches a tenant's context: Celery swallows what receivers raise."""
    signals.setup_logging.connect(_configure_logging)
    signals.worker_init.connect(_prepare)
    signals.worker_process_init.connect(_begin_child)


def _configure_logging(**_: Any) -> None:
    configure_logging("celery")


def _prepare(sender: Any, **_: Any) -> None:
    # In the main process, before it forks; the children open engines of their own on first use.
    if "prefork" not in sender.pool_cls.__module__:
        # Bodies share this process: one connection each, one each for progress, and one for a call they `.apply()`.
        need_connections(3 * sender.concurrency)
    require_ready(Role.WORKER)


def _begin_child(**_: Any) -> None:
    # Sent by prefork alone: a process with one body, which Celery's main process can signal and kill.
    leave_limits_to_celery()
