"""Every job that does not run says why."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from db.roles import Role
from db.session import platform_connection, tenant_session
from db.waiting import Reason, WaitingOn, waiting_on, waiting_on_each
from db.workers import register
from tests.databases import Database, TestTenant
from tests.db.limiting import let_pass, limit
from tests.db.work import TASK, TESTS, claim_of, dispatch_all, enqueue_one, finish_all, suspend


def why(tenant: TestTenant, job_id: UUID) -> WaitingOn | None:
    with tenant_session(tenant.context, role=Role.API) as session:
        found = waiting_on(session, job_id)
        in_list = waiting_on_each(session, [job_id]).get(job_id)
    # A list says the same, but for what would have to be counted.
    assert (in_list and in_list.reason) == (found and found.reason)
    return found


def reason(tenant: TestTenant, job_id: UUID) -> Reason | None:
    found = why(tenant, job_id)
    return found.reason if found is not None else None


def seconds_until(found: WaitingOn | None) -> float:
    assert found is not None
    assert found.until is not None
    return (found.until - datetime.now(UTC)).total_seconds()


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

    database.do("update partywall_private.workers set queues = array['slow', 'default'], tasks = array['notes.other']")
    dispatch_all(batch_limit=0)
    assert reason(acme, job_id) is Reason.UNKNOWN_TASK

    database.do("update partywall_private.workers set tasks = null")
    dispatch_all(batch_limit=0)
    assert reason(acme, job_id) is Reason.BEHIND

    database.do("update partywall_private.workers set seen_at = now() - interval '1 minute'")
    assert reason(acme, job_id) is Reason.NO_WORKER_FOR_QUEUE

    database.do("update partywall_private.lanes set led_at = now() - interval '1 minute'")
    assert reason(acme, job_id) is Reason.NO_DISPATCHER


@pytest.mark.usefixtures("running_system")
@pytest.mark.parametrize(
    ("statement", "expected"),
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
def test_on_a_limit(statement: str, expected: Reason, database: Database, acme: TestTenant) -> None:
    jobs = [enqueue_one(acme) for _ in range(2)]
    database.do(statement, t=acme.id)
    sent = dispatch_all()

    assert len(sent) == (0 if expected is Reason.PAUSED else 1)
    assert reason(acme, jobs[-1]) is expected


@pytest.mark.usefixtures("running_system")
def test_a_rate_lets_each_go_on_when_those_before_it_have_started(acme: TestTenant) -> None:
    limit(acme, rate=0.01, burst=1)
    jobs = [enqueue_one(acme) for _ in range(5)]
    dispatch_all()

    found = [why(acme, job_id) for job_id in jobs[1:]]

    assert [each and each.ahead for each in found] == [0, 1, 2, 3]
    assert [seconds_until(each) for each in found] == pytest.approx([100, 200, 300, 400], abs=5)


@pytest.mark.usefixtures("running_system")
def test_a_token_that_has_come_is_for_the_first_and_says_nothing_else_of_the_others(
    database: Database, acme: TestTenant
) -> None:
    limit(acme, rate=0.01, burst=1)
    jobs = [enqueue_one(acme) for _ in range(5)]
    dispatch_all()

    let_pass(database, seconds=100.5)

    found = why(acme, jobs[-1])
    assert found is not None
    assert (found.reason, found.ahead) == (Reason.RATE, 3)
    assert seconds_until(found) == pytest.approx(300, abs=5)


@pytest.mark.usefixtures("running_system")
def test_its_turn_does_not_come_before_its_rate_lets_it(database: Database, acme: TestTenant) -> None:
    database.do("insert into partywall_private.run_times values (:task, null, 0.01, 100)", task=TASK)
    limit(acme, rate=1, burst=3)
    jobs = [enqueue_one(acme) for _ in range(500)]
    dispatch_all(batch_limit=0)

    # Three at once, and then one a second: 500 of ten milliseconds on two slots would be over in less than three.
    assert why(acme, jobs[-1]) == WaitingOn(Reason.BEHIND, None, 499, 497.0)
    assert why(acme, jobs[0]) == WaitingOn(Reason.BEHIND, None, 0, 0.0)


@pytest.mark.usefixtures("running_system")
def test_who_was_sent_has_had_its_token(database: Database, acme: TestTenant) -> None:
    limit(acme, rate=0.01, burst=1)
    job_id = enqueue_one(acme)
    dispatch_all()

    assert why(acme, job_id) == WaitingOn(Reason.BEHIND, None, 0, 0.05)


@pytest.mark.usefixtures("running_system")
def test_before_it_are_those_with_more_priority_and_those_that_came_before_whatever_their_task(
    database: Database, acme: TestTenant
) -> None:
    database.do("insert into partywall_private.run_times values (:task, null, 2, 100)", task=TASK)
    enqueue_one(acme)
    job_id = enqueue_one(acme)
    enqueue_one(acme)
    enqueue_one(acme, priority=1)
    enqueue_one(acme, priority=-1)
    enqueue_one(acme, task_name="notes.other", priority=1)
    enqueue_one(acme, queue="elsewhere", priority=1)
    dispatch_all(batch_limit=0)

    # One earlier and one more urgent of two seconds, and one of a task that nobody has measured, on two slots.
    found = why(acme, job_id)
    assert found is not None
    assert found.ahead == 3
    assert found.seconds == pytest.approx(2.05)


@pytest.mark.usefixtures("running_system")
def test_what_is_sent_again_and_again_is_not_claimed(acme: TestTenant) -> None:
    job_id = enqueue_one(acme)
    for _ in range(2):
        dispatch_all(resend_after=0)
    assert reason(acme, job_id) is Reason.BEHIND

    dispatch_all(resend_after=0)
    assert why(acme, job_id) == WaitingOn(Reason.NOT_CLAIMED, None, None, None)


def test_a_worker_that_is_away_comes_before_what_it_has_not_claimed(
    database: Database, acme: TestTenant, running_system: None
) -> None:
    job_id = enqueue_one(acme)
    for _ in range(4):
        dispatch_all(resend_after=0)
    database.do("update partywall_private.workers set seen_at = now() - interval '1 minute'")
    assert reason(acme, job_id) is Reason.NO_WORKER_FOR_QUEUE

    database.do("insert into partywall.tenant_limits (tenant_id, flow) values (:t, 'paused')", t=acme.id)
    assert reason(acme, job_id) is Reason.PAUSED
    database.do("update partywall.tenants set status = 'suspended', suspended_at = now()")
    assert reason(acme, job_id) is Reason.SUSPENDED


@pytest.mark.usefixtures("running_system")
def test_a_list_tells_each_of_several_and_counts_nothing(acme: TestTenant, zeta: TestTenant) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    limit(acme, rate=0.01, burst=1)
    sent, throttled, scheduled = enqueue_one(acme), enqueue_one(acme), enqueue_one(acme, run_at=later)
    of_zeta = enqueue_one(zeta)
    dispatch_all(batch_limit=1)

    with tenant_session(acme.context, role=Role.API) as session:
        found = waiting_on_each(session, [sent, throttled, scheduled, of_zeta])

    assert found == {
        sent: WaitingOn(Reason.BEHIND, None),
        throttled: WaitingOn(Reason.RATE, None),
        scheduled: WaitingOn(Reason.RUN_AT, later),
    }


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
