"""Who publishes: the tenant whose code runs in this thread right now, if there is one."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from db.context import TenantContext
from db.roles import Role


@dataclass(slots=True)
class Publisher:
    """A context in which messages may be published: in the thread that entered it, until that leaves."""

    context: TenantContext
    role: Role
    label: str
    """How Flower shows the tenant: its slug, or its id where no slug is at hand."""
    thread: int = field(default_factory=threading.get_ident)
    left: bool = False


_publisher: ContextVar[Publisher | None] = ContextVar("partywall_publisher", default=None)


@contextmanager
def publishing_as(context: TenantContext, *, role: Role = Role.API, label: str | None = None) -> Iterator[None]:
    """Let `.delay()`, `.apply_async()` and every canvas in the block run as the tenant.

    A body is in such a block already. A thread that it starts is not, and neither is what runs in an executor: who
    wants to publish there says so again, with a context.
    """
    publisher = Publisher(context, role, label or str(context.tenant_id))
    entered = _publisher.set(publisher)
    try:
        yield
    finally:
        # Also for copies of these context variables, which a callback may keep and run in this thread later on.
        publisher.left = True
        _publisher.reset(entered)


def current_publisher() -> Publisher | None:
    """Return who publishes from this thread."""
    publisher = _publisher.get()
    # Executors copy context variables into their threads; a context is not to be had by accident.
    if publisher is None or publisher.left or publisher.thread != threading.get_ident():
        return None
    return publisher
