"""Tenants that are suspended or deleted at the very moment their jobs move."""

from collections.abc import Callable

import pytest
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from db import dispatching
from db.dispatching import Dispatched
from db.dsn import plain_url
from db.errors import TenantDeletingError, TenantSuspendedError
from db.jobs import JobState
from db.roles import Role
from db.session import platform_connection
from db.tenants import delete_tenant, resume_tenant, suspend_tenant
from tests.databases import Database, TestTenant
from tests.db.work import claim_of, dispatch_all, enqueue_one, job_of, start_one

DISPATCH = text("select * from partywall.dispatch(array['default'], null, null, 10, 10, '1 minute')")


def change(tenant: TestTenant, to: Callable[[Connection, str], object]) -> None:
    with platform_connection(Role.OPERATOR) as connection:
        to(connection, tenant.slug)


def cancel(limit: int = 100) -> int:
    with platform_connection(Role.DISPATCHER) as connection:
        return dispatching.cancel_jobs_of_deleted(connection, limit=limit)


def dispatch_while(database: Database, change_it: Callable[[], None]) -> Dispatched:
    """Return what a dispatch sends that begins before the change and ends after it."""
    engine = create_engine(plain_url(database.url(Role.DISPATCHER)), poolclass=NullPool)
    with engine.begin() as dispatching_now:
        (sent,) = dispatching_now.execute(DISPATCH).all()
        change_it()
    return Dispatched(**sent._mapping)


def test_a_dispatch_that_ends_after_its_tenant_was_suspended_starts_nothing_until_it_is_resumed(
    database: Database, acme: TestTenant
) -> None:
    job_id = enqueue_one(acme)
    sent = dispatch_while(database, lambda: change(acme, suspend_tenant))
    with pytest.raises(TenantSuspendedError):
        claim_of(sent)
    in_between = job_of(acme, job_id).state
    change(acme, resume_tenant)
    (again,) = dispatch_all()

    assert in_between == JobState.DISPATCHED
    # The old message finds nothing; the new one was sent at once.
    assert claim_of(sent) == []
    assert [attempt.number for attempt in claim_of(again)] == [1]


def test_a_dispatch_that_ends_after_its_tenant_was_deleted_starts_nothing(database: Database, acme: TestTenant) -> None:
    job_id = enqueue_one(acme)
    sent = dispatch_while(database, lambda: change(acme, delete_tenant))
    with pytest.raises(TenantDeletingError):
        claim_of(sent)

    assert cancel() == 1
    assert claim_of(sent) == []
    assert job_of(acme, job_id).state == JobState.CANCELLED


def test_a_dispatched_job_comes_back_when_its_tenant_is_suspended(acme: TestTenant) -> None:
    job_id = enqueue_one(acme)
    (sent,) = dispatch_all()
    change(acme, suspend_tenant)

    assert job_of(acme, job_id).state == JobState.QUEUED
    assert (claim_of(sent), dispatch_all()) == ([], [])


def test_resuming_a_tenant_that_works_disturbs_nothing(acme: TestTenant) -> None:
    enqueue_one(acme)
    (message,) = dispatch_all()
    change(acme, resume_tenant)

    assert len(claim_of(message)) == 1


def test_suspending_one_tenant_takes_back_nothing_of_another(acme: TestTenant, zeta: TestTenant) -> None:
    for tenant in (acme, zeta):
        enqueue_one(tenant)
    sent = {message.tenant_id: message for message in dispatch_all()}
    change(acme, suspend_tenant)

    assert len(claim_of(sent[zeta.id])) == 1


def test_a_job_that_was_enqueued_before_its_tenant_was_deleted_is_not_dispatched(acme: TestTenant) -> None:
    job_id = enqueue_one(acme)
    change(acme, delete_tenant)

    assert dispatch_all() == []
    assert cancel() == 1
    assert job_of(acme, job_id).state == JobState.CANCELLED


def test_a_running_job_is_left_to_end(acme: TestTenant) -> None:
    attempt = start_one(acme)
    change(acme, delete_tenant)

    assert cancel() == 0
    assert job_of(acme, attempt.job_id).state == JobState.RUNNING


def test_a_suspended_tenant_can_be_deleted_and_what_waited_is_cancelled(acme: TestTenant) -> None:
    job_id = enqueue_one(acme)
    change(acme, suspend_tenant)
    change(acme, delete_tenant)

    assert cancel() == 1
    assert job_of(acme, job_id).state == JobState.CANCELLED


def test_jobs_are_cancelled_in_batches_and_of_deleted_tenants_only(acme: TestTenant, zeta: TestTenant) -> None:
    for tenant in (acme, zeta):
        for _ in range(3):
            enqueue_one(tenant)
    change(acme, delete_tenant)

    assert [cancel(limit=2) for _ in range(3)] == [2, 1, 0]
    assert len(dispatch_all()) == 3
