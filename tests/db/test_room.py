"""How many jobs of a tenant may wait, and that a drained one accepts nothing."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from db import limits
from db.accepting import Wishes, accept
from db.errors import PartywallError, QueueFullError, TenantDrainingError
from db.roles import Role
from db.schedules import fan_out
from db.session import platform_connection, tenant_session
from db.steering import cancel_job, retry_job
from db.tenants import resume_tenant
from tests.databases import TestTenant
from tests.db.limiting import enqueue_some, limit
from tests.db.racing import at_once
from tests.db.work import TASK, body_of, dispatch_all, enqueue_one, job_of, start_one


def drain(tenant: TestTenant) -> None:
    with platform_connection(Role.OPERATOR) as connection:
        limits.drain_tenant(connection, tenant.slug, reason="moving out")


def enqueue_with_key(tenant: TestTenant, key: str) -> UUID:
    with tenant_session(tenant.context, role=Role.API) as session:
        wishes = Wishes(idempotency_key=key)
        return accept(session, task_name=TASK, payload={}, queue="default", max_attempts=1, wishes=wishes).job_id


def outcome_of_enqueueing(tenant: TestTenant) -> str:
    try:
        enqueue_one(tenant)
    except PartywallError as error:
        return type(error).__name__
    return "accepted"


def cancelled_one(tenant: TestTenant) -> UUID:
    job_id = enqueue_one(tenant)
    with tenant_session(tenant.context, role=Role.API) as session:
        cancel_job(session, job_id, reason=None)
    return job_id


def test_a_full_queue_accepts_nothing_until_a_job_has_started(acme: TestTenant, zeta: TestTenant) -> None:
    limit(acme, max_queued=3)
    enqueue_some(acme, 2)
    enqueue_one(acme, run_at=datetime.now(UTC) + timedelta(hours=1))

    with pytest.raises(QueueFullError, match="3 jobs wait") as refusal:
        enqueue_one(acme)
    assert "At most 3" in str(refusal.value)
    enqueue_some(zeta, 5)

    dispatch_all()
    enqueue_some(acme, 2)
    assert outcome_of_enqueueing(acme) == "QueueFullError"


def test_many_producers_at_once_fill_a_queue_exactly(acme: TestTenant) -> None:
    limit(acme, max_queued=10)
    enqueue_some(acme, 3)

    outcomes = Counter(at_once(16, lambda: outcome_of_enqueueing(acme)))

    assert outcomes == {"accepted": 7, "QueueFullError": 9}


def test_a_smaller_limit_refuses_at_once_and_throws_nothing_away(acme: TestTenant) -> None:
    enqueue_some(acme, 5)
    limit(acme, max_queued=2)

    assert outcome_of_enqueueing(acme) == "QueueFullError"
    assert len(dispatch_all()) == 5


def test_a_request_sent_again_is_answered_the_same_however_full_the_queue_is(acme: TestTenant) -> None:
    limit(acme, max_queued=1)
    job_id = enqueue_with_key(acme, "order-1")
    assert enqueue_with_key(acme, "order-1") == job_id
    with pytest.raises(QueueFullError):
        enqueue_with_key(acme, "order-2")

    drain(acme)

    assert enqueue_with_key(acme, "order-1") == job_id


def test_a_retry_needs_room_too(acme: TestTenant) -> None:
    job_id = cancelled_one(acme)
    limit(acme, max_queued=1)
    enqueue_one(acme)

    with tenant_session(acme.context, role=Role.API) as session, pytest.raises(QueueFullError):
        retry_job(session, job_id)

    assert job_of(acme, job_id).state == "cancelled"


def test_a_body_is_refused_by_a_full_queue_and_does_not_hold_up_a_producer(acme: TestTenant) -> None:
    attempt = start_one(acme)
    limit(acme, max_queued=2)
    with body_of(attempt) as connection:
        accept(connection, task_name=TASK, payload={}, queue="default", max_attempts=1)
        enqueue_one(acme)

        with pytest.raises(QueueFullError):
            accept(connection, task_name=TASK, payload={}, queue="default", max_attempts=1)


def test_a_drained_tenant_accepts_nothing_and_what_waits_still_runs(acme: TestTenant) -> None:
    waiting, over = enqueue_one(acme), cancelled_one(acme)

    drain(acme)

    with pytest.raises(TenantDrainingError, match="resume"):
        enqueue_one(acme)
    with tenant_session(acme.context, role=Role.API) as session, pytest.raises(TenantDrainingError):
        retry_job(session, over)
    assert [message.job_id for message in dispatch_all()] == [waiting]

    with platform_connection(Role.OPERATOR) as connection:
        resume_tenant(connection, "acme")
    assert outcome_of_enqueueing(acme) == "accepted"


def test_what_a_drained_tenants_body_enqueues_is_accepted(acme: TestTenant) -> None:
    """What was accepted may come to its end; a body that was refused would fail instead."""
    attempt = start_one(acme)
    drain(acme)

    with body_of(attempt) as connection:
        child = accept(connection, task_name=TASK, payload={}, queue="default", max_attempts=1).job_id
        connection.commit()

    assert [message.job_id for message in dispatch_all()] == [child]


def test_a_schedule_passes_over_a_drained_tenant(acme: TestTenant, zeta: TestTenant) -> None:
    drain(acme)

    with platform_connection(Role.SCHEDULER) as connection:
        moment = datetime(2024, 3, 1, tzinfo=UTC)
        assert fan_out(connection, schedule="n", moment=moment, task_name="t", queue="default", max_attempts=1) == 1

    assert [message.tenant_slug for message in dispatch_all()] == ["zeta"]
