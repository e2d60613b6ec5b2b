"""Priority: which of a tenant's own jobs start first."""

from typing import Any

import pytest
from sqlalchemy import text

from db.accepting import Wishes
from db.errors import PriorityInvalidError
from db.roles import Role
from db.session import tenant_session
from tests.databases import Database, TestTenant
from tests.db.ordering import large_backlog
from tests.db.work import dispatch_all, enqueue_one, job_of


def test_of_a_tenants_jobs_those_with_more_priority_start_first(acme: TestTenant) -> None:
    low, early, late, high = (enqueue_one(acme, priority=each) for each in (-100, 0, 0, 100))

    assert [message.job_id for message in dispatch_all()] == [high, early, late, low]
    assert job_of(acme, high).priority == 100


def test_it_holds_across_tasks(acme: TestTenant) -> None:
    read, write = enqueue_one(acme, task_name="notes.read"), enqueue_one(acme, task_name="notes.write", priority=1)

    assert [message.job_id for message in dispatch_all(batch_limit=1)] == [write]
    assert [message.job_id for message in dispatch_all(batch_limit=1)] == [read]


def test_it_holds_however_much_waits_of_how_many_tasks(database: Database, acme: TestTenant, zeta: TestTenant) -> None:
    for tenant in (acme, zeta):
        for number in range(5):
            large_backlog(database, tenant, 120, task_name=f"notes.task_{number}")
        large_backlog(database, tenant, 1, task_name="notes.urgent", priority=100)

    sent = dispatch_all(bundle_limit=50, bundle_seconds=0.05)

    assert [message.task_name for message in sent[:2]] == ["notes.urgent"] * 2
    assert {message.task_name for message in sent[2:]} == {"notes.task_0"}
    assert len(sent) >= 20


def test_it_holds_for_more_tasks_than_a_dispatch_has_room_for(database: Database, acme: TestTenant) -> None:
    database.do(
        "insert into partywall.jobs (tenant_id, task_name, queue, state, max_attempts, run_at, payload)"
        " select :t, format('notes.task_%s', number), 'default', 'queued', 1, clock_timestamp(), '{}'"
        " from generate_series(100, 499) as number",
        t=acme.id,
    )
    large_backlog(database, acme, 1, task_name="notes.urgent", priority=100)

    sent = dispatch_all(batch_limit=5)

    assert [message.task_name for message in sent] == ["notes.urgent", *(f"notes.task_{n}" for n in range(100, 104))]


def test_it_gains_nothing_over_other_tenants(acme: TestTenant, zeta: TestTenant) -> None:
    for _ in range(4):
        enqueue_one(acme, priority=100)
        enqueue_one(zeta, priority=-100)

    assert sorted(message.tenant_slug for message in dispatch_all(batch_limit=4)) == ["acme"] * 2 + ["zeta"] * 2


@pytest.mark.parametrize("priority", [101, -101, 2**70, 0.5, "5", None, True])
def test_no_other_priority_can_be_wished_for(priority: Any) -> None:
    with pytest.raises(PriorityInvalidError, match="-100 to 100"):
        Wishes(priority=priority)


@pytest.mark.parametrize("priority", ["101", "-101", "2147483647", "null"])
def test_postgresql_takes_no_other(priority: str, acme: TestTenant) -> None:
    statement = "select partywall.enqueue('t', '{}', 'default', null, 1, priority => " + priority + ")"
    with tenant_session(acme.context, role=Role.API) as session, pytest.raises(PriorityInvalidError) as refusal:
        session.execute(text(statement))

    assert refusal.value.hint
