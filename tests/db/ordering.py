"""Short ways to a backlog whose order is known, and to who got how much of what was sent."""

from collections import Counter
from collections.abc import Sequence

from db.dispatching import Dispatched
from tests.databases import Database, TestTenant
from tests.db.work import TASK, enqueue_one

LONG, SHORT = "notes.long", "notes.short"


def shares(sent: Sequence[Dispatched]) -> Counter[str]:
    return Counter(message.tenant_slug for message in sent)


def takes(database: Database, task_name: str, seconds: float, tenant: TestTenant | None = None) -> None:
    """Let a task be known to take so long: everybody's, or one tenant's."""
    database.do(
        "insert into partywall_private.run_times (task_name, tenant_id, seconds, samples) values (:task, :t, :s, 100)",
        task=task_name,
        t=tenant and tenant.id,
        s=seconds,
    )


def large_backlog(database: Database, tenant: TestTenant, jobs: int, *, task_name: str, priority: int = 0) -> None:
    """Enqueue past `enqueue()`, which takes its time over hundreds."""
    database.do(
        "insert into partywall.jobs (tenant_id, task_name, queue, state, max_attempts, run_at, payload, priority)"
        " select :t, :task, 'default', 'queued', 1, clock_timestamp(), '{}', :priority from generate_series(1, :n)",
        t=tenant.id,
        task=task_name,
        n=jobs,
        priority=priority,
    )


def backlog(tenant: TestTenant, jobs: int, *, task_name: str = TASK, queue: str = "default") -> None:
    for _ in range(jobs):
        enqueue_one(tenant, task_name=task_name, queue=queue)
