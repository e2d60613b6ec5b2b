"""Which process this is that runs bodies: an id and a secret of its own, new after every fork; what people call it."""

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field

from db.attempts import WorkerIdentity
from db.rows import uuid7


@dataclass(slots=True)
class _Process:
    hostname: str = field(default_factory=socket.gethostname)
    pool: str = "solo"
    queues: Sequence[str] = ()
    slots: int = 1
    identity: WorkerIdentity | None = None


_process = _Process()


def describe(*, hostname: str, pool: str, queues: Sequence[str], slots: int = 1) -> None:
    """Say what the worker is called that this process and its children belong to, `worker@host`.

    Each of its processes that run bodies runs `slots` of them at a time.
    """
    _process.hostname, _process.pool, _process.queues, _process.slots = hostname, pool, queues, slots
    _process.identity = None


def identity() -> WorkerIdentity:
    """Return who this process is."""
    if _process.identity is None:
        _process.identity = WorkerIdentity(uuid7(), name_of(_process.hostname, os.getpid()))
    return _process.identity


def name_of(hostname: str, pid: int) -> str:
    """Return what a process of a worker is called in its jobs' rows: `worker@host/pid`."""
    return f"{hostname}/{pid}"


def pool() -> str:
    """Return Celery's name of the pool."""
    return _process.pool


def queues() -> Sequence[str]:
    """Return the queues that the worker serves."""
    return _process.queues


def slots() -> int:
    """Return how many bodies this process runs at a time."""
    return _process.slots


def _forget() -> None:
    _process.identity = None


os.register_at_fork(after_in_child=_forget)
