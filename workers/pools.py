"""Celery's pools, and which of them keep what a tenant's body is promised."""

from typing import Any

from celery import concurrency

from db.errors import PartywallError
from db.workers import SLOTS_LIMIT

PREFORK = "prefork"
SOLO = "solo"
SUPPORTED = {
    "celery.concurrency.prefork": PREFORK,
    "celery.concurrency.thread": "threads",
    "celery.concurrency.solo": SOLO,
}
"""The pools by their modules."""


class PoolRefusedError(PartywallError):
    """The pool runs bodies as greenlets, too many of them, or in a way that nobody here has tried."""


def require_pool(chosen: Any) -> str:
    """Return the name of the pool that a worker was told to use, as a class or as Celery spells it.

    Raises:
        PoolRefusedError: a time limit would strike whichever greenlet runs, another tenant's body perhaps.
    """
    module = _module_of(chosen)
    if module in SUPPORTED:
        return SUPPORTED[module]
    name = module.rpartition(".")[2]
    if name in ("gevent", "eventlet"):
        raise PoolRefusedError(
            "a greenlet cannot be ended at its time limit, and one call that blocks in libpq stops them all",
            pool=name,
            hint=_HINT,
        )
    raise PoolRefusedError("nobody has tried what bodies share in this pool", pool=module, hint=_HINT)


def require_slots(slots: int) -> int:
    """Return how many bodies a process of the worker runs at a time.

    Raises:
        PoolRefusedError: they are more than a process may have, which would be listed nowhere.
    """
    if slots > SLOTS_LIMIT:
        raise PoolRefusedError(
            f"a process runs at most {SLOTS_LIMIT} bodies at a time",
            concurrency=slots,
            hint="Take a smaller --concurrency, and start more workers.",
        )
    return slots


_HINT = "Use --pool=prefork, --pool=threads or --pool=solo; for many waits at once, async def bodies."


def _module_of(chosen: Any) -> str:
    if isinstance(chosen, str):
        # Not looked up by Celery: for some pools that imports a package which may not be there.
        aliases: dict[str, str] = vars(concurrency)["ALIASES"]
        return str(aliases.get(chosen, chosen)).partition(":")[0]
    return str(chosen.__module__)
