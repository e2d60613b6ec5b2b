"""Accepting jobs, and what their tenant sees of them."""

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from db import accepting, attempts, jobs, steering
from db.errors import (
    JobNotFoundError,
    NoTenantError,
    PayloadTooLargeError,
    PayloadUnstorableError,
    TenantDeletingError,
    TenantSuspendedError,
)
from db.jobs import JobState
from db.roles import Role
from db.session import platform_connection, tenant_session
from db.tenants import suspend_tenant
from tests.databases import Database, TestTenant
from tests.db.work import body_of, dispatch_all, enqueue_one, job_of, start_one


def states(tenant: TestTenant) -> dict[JobState, int]:
    with tenant_session(tenant.context, role=Role.API) as session:
        return jobs.count_by_state(session)


def test_an_accepted_job_is_queued_for_its_tenant(acme: TestTenant) -> None:
    job = job_of(acme, enqueue_one(acme, payload={"order": 1}, max_attempts=4))

    assert (job.tenant_id, job.state, job.payload) == (acme.id, "queued", {"order": 1})
    assert (job.attempt, job.max_attempts, job.id.version) == (0, 4, 7)


def test_a_job_enqueued_in_a_transaction_lives_and_dies_with_it(acme: TestTenant) -> None:
    with tenant_session(acme.context, role=Role.API) as session:
        accepting.accept(session, task_name="notes.write", payload={}, queue="default", max_attempts=1)
        session.rollback()

    assert states(acme) == {}


def test_a_job_for_later_is_scheduled_and_one_for_the_past_is_queued_now(acme: TestTenant) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    scheduled = job_of(acme, enqueue_one(acme, run_at=later))
    queued = job_of(acme, enqueue_one(acme, run_at=later - timedelta(days=1)))

    assert (scheduled.state, scheduled.run_at) == ("scheduled", later)
    assert (queued.state, queued.run_at) == ("queued", queued.created_at)


def test_enqueueing_needs_a_tenant(database: Database) -> None:
    with platform_connection(Role.API) as connection, pytest.raises(NoTenantError):
        accepting.accept(connection, task_name="notes.write", payload={}, queue="default", max_attempts=1)


def test_a_suspended_tenant_cannot_enqueue(acme: TestTenant) -> None:
    with platform_connection(Role.OPERATOR) as connection:
        suspend_tenant(connection, acme.slug)

    with pytest.raises(TenantSuspendedError):
        enqueue_one(acme)


def test_a_tenant_being_deleted_cannot_enqueue(database: Database, acme: TestTenant) -> None:
    database.do("update partywall.tenants set status = 'deleting'")

    with pytest.raises(TenantDeletingError):
        enqueue_one(acme)


def test_a_payload_of_256_kib_is_accepted_and_a_byte_more_is_not(acme: TestTenant) -> None:
    fits = "x" * (256 * 1024 - len('""'))

    assert job_of(acme, enqueue_one(acme, payload=fits)).payload == fits
    with pytest.raises(PayloadTooLargeError):
        enqueue_one(acme, payload=fits + "x")


@pytest.mark.parametrize("payload", ["\0", {"\0": 1}, ["\ud800"], float("nan"), float("inf")])
def test_what_jsonb_cannot_hold_is_refused_with_a_type(payload: Any, acme: TestTenant) -> None:
    with pytest.raises(PayloadUnstorableError) as refusal:
        enqueue_one(acme, payload=payload)

    assert "U+0000" in str(refusal.value)


@pytest.mark.parametrize("payload", [0, "", [], False, {"a": [1, {"b": None}]}, "ünïcödé 😀", 10**30])
def test_any_json_comes_back_as_it_was(payload: Any, acme: TestTenant) -> None:
    assert job_of(acme, enqueue_one(acme, payload=payload)).payload == payload


def test_another_tenants_job_is_not_found(acme: TestTenant, zeta: TestTenant) -> None:
    theirs = enqueue_one(zeta)

    for job_id in (theirs, uuid4()):
        with pytest.raises(JobNotFoundError), tenant_session(acme.context, role=Role.API) as session:
            jobs.get_job(session, job_id)


def test_a_list_goes_from_new_to_old_and_on_where_it_stopped(acme: TestTenant, zeta: TestTenant) -> None:
    mine = [enqueue_one(acme) for _ in range(5)]
    enqueue_one(zeta)

    pages: list[UUID] = []
    with tenant_session(acme.context, role=Role.API) as session:
        while page := jobs.list_jobs(session, before_id=pages[-1] if pages else None, limit=2):
            pages += [job.id for job in page]

    assert sorted(pages, reverse=True) == pages
    assert set(pages) == set(mine)


def test_a_list_can_be_filtered(acme: TestTenant) -> None:
    first = job_of(acme, enqueue_one(acme, task_name="notes.write"))
    second = job_of(acme, enqueue_one(acme, task_name="notes.read"))
    dispatch_all(batch_limit=1)

    def listed(**filters: Any) -> list[UUID]:
        with tenant_session(acme.context, role=Role.API) as session:
            return [job.id for job in jobs.list_jobs(session, limit=10, **filters)]

    assert listed(states=[JobState.DISPATCHED]) == [first.id]
    assert listed(states=[JobState.QUEUED, JobState.RUNNING]) == [second.id]
    assert listed(task_name="notes.read") == [second.id]
    assert listed(created_from=second.created_at) == [second.id]
    assert listed(created_before=second.created_at) == [first.id]
    elsewhere = timezone(timedelta(hours=-9, minutes=-30))
    assert listed(created_from=second.created_at.astimezone(elsewhere)) == [second.id]


def test_the_nonce_is_read_by_nobody(acme: TestTenant) -> None:
    enqueue_one(acme)
    for role in (Role.API, Role.WORKER, Role.OPERATOR):
        with pytest.raises(ProgrammingError) as refusal, tenant_session(acme.context, role=role) as session:
            session.execute(text("select dispatch_nonce from partywall.jobs"))

        assert isinstance(refusal.value.orig, psycopg.errors.InsufficientPrivilege)


def test_a_child_job_exists_when_its_parents_effects_do(acme: TestTenant) -> None:
    attempt = start_one(acme)
    with body_of(attempt) as connection:
        accepting.accept(connection, task_name="notes.child", payload={}, queue="default", max_attempts=1)
        connection.rollback()
        accepting.accept(connection, task_name="notes.child", payload={}, queue="default", max_attempts=1)
        attempts.finish(connection, result=None)

    assert states(acme) == {JobState.SUCCEEDED: 1, JobState.QUEUED: 1}


def test_pruning_removes_the_tenants_finished_jobs_past_its_retention(
    database: Database, acme: TestTenant, zeta: TestTenant
) -> None:
    for tenant in (acme, zeta):
        for _ in range(3):
            enqueue_one(tenant)
    old = "finished_at = now() - interval '30 days 1 second'"
    database.do(f"update partywall.jobs set state = 'succeeded', {old}")
    young = enqueue_one(acme)
    database.do(
        "update partywall.jobs set state = 'failed', finished_at = now() - interval '29 days' where id = :id", id=young
    )
    waiting = enqueue_one(acme)

    with tenant_session(acme.context, role=Role.WORKER) as session:
        pruned = [steering.prune_jobs(session, limit=2) for _ in range(3)]

    assert pruned == [2, 1, 0]
    left = {job_id for (job_id,) in database.ask("select id from partywall.jobs where tenant_id = :t", t=acme.id)}
    assert left == {young, waiting}
    assert states(zeta) == {JobState.SUCCEEDED: 3}


def test_accepting_a_job_wakes_the_dispatcher_without_telling_anything(database: Database, acme: TestTenant) -> None:
    with psycopg.connect(database.url(Role.DISPATCHER), autocommit=True) as listening:
        listening.execute("listen partywall_jobs")
        enqueue_one(acme)
        (heard,) = listening.notifies(timeout=5, stop_after=1)

    assert heard.channel == "partywall_jobs"
    assert re.fullmatch("[0-9a-f]{64}", heard.payload)
    assert acme.id.hex not in heard.payload
