"""Every job that does not run says why."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from db.roles import Role
from db.session import platform_connection, tenant_session
from db.waiting import Reason, TenantLoad, WaitingOn, tenants_top, waiting_on
from db.workers import register
from tests.databases import Database, TestTenant
from tests.db.work import TASK, TESTS, claim_of, dispatch_all, enqueue_one, finish_all, suspend


def why(tenant: TestTenant, job_id: UUID) -> WaitingOn | None:
    with tenant_session(tenant.context, role=Role.API) as session:
        return waiting_on(session, [job_id]).get(job_id)


def reason(tenant: TestTenant, job_id: UUID) -> Reason | None:
    found = why(tenant, job_id)
    return found.reason if found is not None else None


def top() -> list[TenantLoad]:
    with platform_connection(Role.OPERATOR) as connection:
        return list(tenants_top(connection, limit=10))


@pytest.fixture
def running_system(database: Database) -> None:
    """A worker with two slots that was heard of, and a dispatcher that has looked."""
    with platform_connection(Role.WORKER) as connection:
        register(connection, TESTS, pool="threads", queues=["default"], slots=2)
    dispatch_all()


def test_until_its_moment(acme: TestTenant) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    job_id = enqueue_one(acme, run_at=later)

    assert why(acme, job_id) == WaitingOn(Reason.RUN_AT, later, None, None)


def test_on_its_tenant(acme: TestTenant, database: Database) -> None:
    job_id = enqueue_one(acme)
    suspend(acme)
    assert reason(acme, job_id) is Reason.SUSPENDED

    database.do("update partywall.tenants set status = 'deleting', suspended_at = null")
    assert reason(acme, job_id) is Reason.DELETING


def test_on_the_system(acme: TestTenant, database: Database) -> None:
    job_id = enqueue_one(acme)
    assert reason(acme, job_id) is Reason.NO_DISPATCHER

    dispatch_all(known_tasks=["notes.other"])
    assert reason(acme, job_id) is Reason.UNKNOWN_TASK

    dispatch_all(batch_limit=0)
    assert reason(acme, job_id) is Reason.NO_WORKER_FOR_QUEUE

    with platform_connection(Role.WORKER) as connection:
        register(connection, TESTS, pool="threads", queues=["slow"])
    assert reason(acme, job_id) is Reason.NO_WORKER_FOR_QUEUE

    database.do("update partywall_private.workers set queues = array['slow', 'default']")
    assert reason(acme, job_id) is Reason.BEHIND

    database.do("update partywall_private.workers set seen_at = now() - interval '1 minute'")
    assert reason(acme, job_id) is Reason.NO_WORKER_FOR_QUEUE

    database.do("update partywall_private.lanes set led_at = now() - interval '1 minute'")
    assert reason(acme, job_id) is Reason.NO_DISPATCHER


@pytest.mark.usefixtures("running_system")
@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ("insert into partywall.tenant_limits (tenant_id, max_running) values (:t, 1)", Reason.TENANT_MAX_RUNNING),
        (
            "insert into partywall.running_limits values (:t, 'task', 'notes.write', 1)",
            Reason.TASK_MAX_RUNNING,
        ),
        (
            "insert into partywall.running_limits values (:t, 'queue', 'default', 1)",
            Reason.QUEUE_MAX_RUNNING,
        ),
        ("insert into partywall.tenant_limits (tenant_id, flow) values (:t, 'paused')", Reason.PAUSED),
        ("insert into partywall.tenant_limits (tenant_id, rate, burst) values (:t, 0.01, 1)", Reason.RATE),
    ],
)
def test_on_a_limit(limit: str, expected: Reason, database: Database, acme: TestTenant) -> None:
    jobs = [enqueue_one(acme) for _ in range(2)]
    database.do(limit, t=acme.id)
    sent = dispatch_all()

    assert len(sent) == (0 if expected is Reason.PAUSED else 1)
    assert reason(acme, jobs[-1]) is expected


@pytest.mark.usefixtures("running_system")
def test_a_rate_says_until_when(database: Database, acme: TestTenant) -> None:
    database.do("insert into partywall.tenant_limits (tenant_id, rate, burst) values (:t, 0.01, 1)", t=acme.id)
    jobs = [enqueue_one(acme) for _ in range(2)]
    dispatch_all()
    found = why(acme, jobs[1])

    assert found is not None
    assert found.until is not None
    assert timedelta(seconds=90) < found.until - datetime.now(UTC) < timedelta(seconds=101)


@pytest.mark.usefixtures("running_system")
def test_behind_others_of_its_tenant(database: Database, acme: TestTenant, zeta: TestTenant) -> None:
    database.do("insert into partywall_private.run_times values (:task, null, 2, 100)", task=TASK)
    jobs = [enqueue_one(acme) for _ in range(5)]
    enqueue_one(zeta)
    dispatch_all(batch_limit=0)

    # Four of two seconds are before it, on two slots of which its tenant has one.
    assert why(acme, jobs[-1]) == WaitingOn(Reason.BEHIND, None, 4, 8.0)
    assert why(acme, jobs[0]) == WaitingOn(Reason.BEHIND, None, 0, 0.0)


@pytest.mark.usefixtures("running_system")
def test_at_the_broker_for_a_slot(acme: TestTenant) -> None:
    job_id = enqueue_one(acme)
    dispatch_all()

    assert why(acme, job_id) == WaitingOn(Reason.BEHIND, None, 0, 0.05)


def test_what_runs_or_is_over_waits_for_nothing(acme: TestTenant) -> None:
    job_id = enqueue_one(acme)
    sent = dispatch_all()
    claim_of(sent[0])
    assert why(acme, job_id) is None

    other = enqueue_one(acme)
    finish_all(dispatch_all())
    assert why(acme, other) is None


def test_another_tenants_job_is_not_there(acme: TestTenant, zeta: TestTenant) -> None:
    job_id = enqueue_one(zeta)

    assert why(acme, job_id) is None


@pytest.mark.usefixtures("running_system")
def test_who_uses_how_much(
    database: Database, acme: TestTenant, zeta: TestTenant, new_tenant: Callable[[str], TestTenant]
) -> None:
    new_tenant("idle")
    for tenant in (acme, acme, acme, zeta):
        enqueue_one(tenant)
    finish_all(dispatch_all(batch_limit=2))
    for tenant, seconds in ((acme, 3), (zeta, 1)):
        database.do(
            "update partywall.attempts set started_at = ended_at - :s * interval '1 second' where tenant_id = :t",
            s=seconds,
            t=tenant.id,
        )
    dispatch_all(batch_limit=1)
    database.do("insert into partywall.tenant_limits (tenant_id, max_running) values (:t, 1)", t=acme.id)

    busy, other = top()
    assert (busy.slug, round(busy.share, 2), busy.dispatched, busy.running, busy.queued) == ("acme", 0.75, 1, 0, 1)
    assert (busy.waits_for, busy.oldest_wait_seconds is not None) == (Reason.TENANT_MAX_RUNNING, True)
    assert (other.slug, other.queued, other.waits_for, other.oldest_wait_seconds) == ("zeta", 0, None, None)
