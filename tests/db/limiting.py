"""Short ways to limit a tenant and to see what comes of it."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg

from db import limits
from db.limits import LimitKind, TenantLimits
from db.roles import Role
from db.session import platform_connection
from tests.databases import Database, TestTenant
from tests.db.work import dispatch_all, enqueue_one

ONE_AN_HOUR = 1 / 3600


def limit(tenant: TestTenant, **changes: float | None) -> None:
    """Let the operator set limits of the tenant's own."""
    with platform_connection(Role.OPERATOR) as connection:
        limits.set_limits(connection, tenant.slug, changes)


def limit_running(tenant: TestTenant, kind: LimitKind, name: str, max_running: int | None) -> None:
    """Let the operator limit one task or queue of the tenant."""
    with platform_connection(Role.OPERATOR) as connection:
        limits.set_running_limit(connection, tenant.slug, kind, name, max_running)


def limits_of(tenant: TestTenant) -> TenantLimits:
    """Return what the operator sees."""
    with platform_connection(Role.OPERATOR) as connection:
        return limits.tenant_limits(connection, tenant.slug)


def enqueue_some(tenant: TestTenant, count: int, *, task_name: str = "notes.write", queue: str = "default") -> None:
    """Enqueue so many jobs of the tenant."""
    for _ in range(count):
        enqueue_one(tenant, task_name=task_name, queue=queue)


def dispatched(*queues: str, batch_limit: int = 100) -> Counter[str]:
    """Return how many jobs of each tenant are dispatched now, by slug."""
    return Counter(message.tenant_slug for message in dispatch_all(*queues, batch_limit=batch_limit))


def let_pass(database: Database, *, seconds: float = 0, hours: float = 0) -> None:
    """Let that much time pass for every bucket, and for who waits for one."""
    for change in (
        "partywall_private.buckets set filled_at = filled_at - make_interval(secs => :seconds)",
        "partywall_private.turns set not_before = not_before - make_interval(secs => :seconds)",
    ):
        database.do(f"update {change}", seconds=seconds + 3600 * hours)


@contextmanager
def listening(database: Database) -> Iterator[Callable[[], list[str]]]:
    """Open a session that hears what the dispatcher is told from now on; calling it returns that."""
    with psycopg.connect(database.url(Role.DISPATCHER), autocommit=True) as connection:
        connection.execute("listen partywall_jobs")
        yield lambda: [heard.payload for heard in connection.notifies(timeout=10, stop_after=1)]
