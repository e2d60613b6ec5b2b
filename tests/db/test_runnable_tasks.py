"""Jobs of tasks that no worker knows wait in PostgreSQL: at the broker they would take the room of all others."""

from collections.abc import Sequence
from uuid import uuid4

import pytest

from db import workers
from db.attempts import WorkerIdentity
from db.roles import Role
from db.session import platform_connection
from tests.databases import Database, TestTenant
from tests.db.work import TASK, dispatch_all, enqueue_one

OLD, NEW = "notes.old", "notes.new"


def serve(*tasks: str, queue: str = "default", all_tasks: bool = False) -> None:
    """List a process that knows these tasks."""
    known: Sequence[str] | None = None if all_tasks else tasks
    with platform_connection(Role.WORKER) as connection:
        worker = WorkerIdentity(uuid4(), "someone@here/1")
        workers.register(connection, worker, pool="threads", queues=[queue], tasks=known)


def enqueue_both(tenant: TestTenant) -> None:
    for task_name in (NEW, OLD):
        enqueue_one(tenant, task_name=task_name)


def sent(known_tasks: Sequence[str] | None = (OLD, NEW)) -> set[str]:
    return {message.task_name for message in dispatch_all(known_tasks=known_tasks)}


@pytest.mark.parametrize("known_tasks", [(OLD, NEW), None])
def test_what_no_worker_knows_waits_until_one_does(known_tasks: Sequence[str] | None, acme: TestTenant) -> None:
    serve(OLD, TASK)
    enqueue_both(acme)
    assert sent(known_tasks) == {OLD}

    serve(OLD, NEW)
    assert sent(known_tasks) == {NEW}


def test_it_takes_no_room_at_the_broker(acme: TestTenant, zeta: TestTenant) -> None:
    serve(OLD)
    for _ in range(30):
        enqueue_one(acme, task_name=NEW)
    enqueue_one(zeta, task_name=OLD)

    messages = dispatch_all(known_tasks=[OLD, NEW], in_flight_spare=2, in_flight_seconds=0.1)

    assert [message.tenant_slug for message in messages] == ["zeta"]


def test_what_the_dispatcher_does_not_know_is_not_sent_though_a_worker_does(acme: TestTenant) -> None:
    serve(OLD, NEW)
    enqueue_both(acme)

    assert sent([OLD]) == {OLD}


@pytest.mark.parametrize("listed", [{"all_tasks": True}, {"queue": "other"}])
def test_where_no_worker_says_what_it_knows_all_is_sent(listed: dict[str, object], acme: TestTenant) -> None:
    serve(**listed)  # type: ignore[arg-type]
    enqueue_both(acme)

    assert sent() == {OLD, NEW}


def test_a_worker_that_fell_silent_knows_nothing(database: Database, acme: TestTenant) -> None:
    serve(NEW)
    database.do("update partywall_private.workers set seen_at = now() - interval '46 seconds'")
    serve(OLD)
    enqueue_both(acme)

    assert sent() == {OLD}
