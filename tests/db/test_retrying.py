"""Retrying what ended without success: one job or many, counted on, from where it was."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from db import attempts, steering
from db.errors import JobNotFoundError, JobOverError, TenantDeletingError, TenantSuspendedError
from db.jobs import list_attempts
from db.limits import drain_tenant
from db.roles import Role
from db.session import platform_connection, tenant_session
from tests.databases import Database, TestTenant
from tests.db.limiting import limit
from tests.db.work import (
    WRITE,
    body_of,
    claim_one,
    enqueue_one,
    job_of,
    start_again,
    start_one,
    suspend,
    take_away,
)

_RETRY_MANY = text("select job_id from partywall.retry_jobs(:state, :task, :slug, :since, null, :most)")


def retry(tenant: TestTenant, job_id: UUID) -> None:
    with tenant_session(tenant.context, role=Role.API) as session:
        steering.retry_job(session, job_id)


def retry_many(
    state: str = "failed", *, task: str | None = None, slug: str | None = None, since: Any = None, most: int = 100
) -> list[UUID]:
    values = {"state": state, "task": task, "slug": slug, "since": since, "most": most}
    with platform_connection(Role.OPERATOR) as connection:
        found = list(connection.execute(_RETRY_MANY, values).scalars())
        connection.commit()
        return found


def failed_one(tenant: TestTenant, *, max_attempts: int = 1, task_name: str = "notes.write") -> UUID:
    job_id = enqueue_one(tenant, max_attempts=max_attempts, task_name=task_name)
    with body_of(claim_one(tenant)) as connection:
        attempts.fail(connection, error={"type": "ValueError"}, retry_after_seconds=None)
    return job_id


def test_a_failed_job_gets_one_more_try_and_is_counted_on(database: Database, acme: TestTenant) -> None:
    job_id = failed_one(acme)

    retry(acme, job_id)
    job = job_of(acme, job_id)
    assert (job.state, job.attempt, job.max_attempts, job.finished_at) == ("queued", 1, 2, None)

    second = start_again(database)
    with body_of(second) as connection:
        attempts.fail(connection, error={}, retry_after_seconds=0)
    assert (second.number, job_of(acme, job_id).state) == (2, "failed")
    with tenant_session(acme.context, role=Role.API) as session:
        assert [row.attempt for row in list_attempts(session, job_id, limit=9)] == [1, 2]


def test_tries_that_were_left_stay(acme: TestTenant) -> None:
    job_id = failed_one(acme, max_attempts=5)
    retry(acme, job_id)

    assert job_of(acme, job_id).max_attempts == 5


def test_a_job_that_lost_its_worker_too_often_may_lose_one_more(database: Database, acme: TestTenant) -> None:
    take_away(database, attempt := start_one(acme, max_attempts=9))
    for _ in range(2):
        take_away(database, start_again(database))
    assert job_of(acme, attempt.job_id).state == "failed"

    retry(acme, attempt.job_id)
    job = job_of(acme, attempt.job_id)
    assert (job.state, job.lost, job.max_lost) == ("queued", 3, 4)

    take_away(database, start_again(database))
    assert job_of(acme, attempt.job_id).state == "failed"


def test_a_retry_goes_on_from_the_checkpoint(database: Database, acme: TestTenant) -> None:
    attempt = start_one(acme, max_attempts=1)
    with body_of(attempt) as connection:
        connection.execute(WRITE)
        attempts.save_checkpoint(connection, state={"line": 7})
        connection.commit()
        attempts.abandon(connection)
        attempts.fail(connection, error={}, retry_after_seconds=None)

    retry(acme, attempt.job_id)
    assert start_again(database).checkpoint == {"line": 7}


def test_a_retry_takes_off_what_ended_the_job(database: Database, acme: TestTenant) -> None:
    job_id = enqueue_one(acme)
    database.do("update partywall.jobs set expires_at = now()")
    with tenant_session(acme.context, role=Role.API) as session:
        steering.cancel_job(session, job_id, reason="too early")

    retry(acme, job_id)
    job = job_of(acme, job_id)
    assert (job.state, job.cancelled_by, job.cancel_reason, job.expires_at) == ("queued", None, None, None)
    assert start_again(database).number == 1


def test_what_is_live_or_has_succeeded_is_not_retried(database: Database, acme: TestTenant) -> None:
    attempt = start_one(acme)
    with pytest.raises(JobOverError):
        retry(acme, attempt.job_id)
    with body_of(attempt) as connection:
        attempts.finish(connection, result=None)

    with pytest.raises(JobOverError):
        retry(acme, attempt.job_id)
    assert retry_many("succeeded") == retry_many("running") == []
    assert job_of(acme, attempt.job_id).state == "succeeded"


def test_another_tenants_job_does_not_exist(acme: TestTenant, zeta: TestTenant) -> None:
    job_id = failed_one(acme)

    with pytest.raises(JobNotFoundError):
        retry(zeta, job_id)
    assert job_of(acme, job_id).state == "failed"


def test_a_tenant_that_may_not_work_is_refused_and_passed_over(database: Database, acme: TestTenant) -> None:
    job_id = failed_one(acme)
    suspend(acme)
    with pytest.raises(TenantSuspendedError):
        retry(acme, job_id)
    assert retry_many() == []

    database.do("update partywall.tenants set status = 'deleting', suspended_at = null")
    with pytest.raises(TenantDeletingError):
        retry(acme, job_id)
    assert retry_many() == []
    assert job_of(acme, job_id).state == "failed"


def test_many_are_chosen_by_state_task_tenant_and_time(database: Database, acme: TestTenant, zeta: TestTenant) -> None:
    old, young, other_task, theirs = (
        failed_one(acme),
        failed_one(acme),
        failed_one(acme, task_name="notes.read"),
        failed_one(zeta),
    )
    database.do("update partywall.jobs set finished_at = now() - interval '2 hours' where id = :id", id=old)
    ((hour_ago,),) = database.ask("select now() - interval '1 hour'")

    assert retry_many("cancelled") == []
    assert retry_many(task="notes.read") == [other_task]
    assert retry_many(slug="zeta") == [theirs]
    assert retry_many(since=hour_ago) == [young]
    assert retry_many() == [old]


def test_many_are_retried_oldest_first_and_no_more_than_asked(acme: TestTenant) -> None:
    ids = [failed_one(acme) for _ in range(3)]

    assert [retry_many(most=2), retry_many(most=2), retry_many(most=2)] == [ids[:2], ids[2:], []]


def test_of_many_those_of_a_drained_tenant_stay(acme: TestTenant, zeta: TestTenant) -> None:
    stays, waits = failed_one(acme), failed_one(zeta)
    with platform_connection(Role.OPERATOR) as connection:
        drain_tenant(connection, acme.slug, reason="moving out")

    assert retry_many() == [waits]
    assert job_of(acme, stays).state == "failed"


def test_of_many_no_more_wait_again_than_there_is_room_for(acme: TestTenant, zeta: TestTenant) -> None:
    mine = [failed_one(acme) for _ in range(4)]
    theirs = [failed_one(zeta) for _ in range(2)]
    limit(acme, max_queued=3)
    enqueue_one(acme)

    assert retry_many(most=3) == [*mine[:2], theirs[0]]
    assert retry_many(most=3) == [theirs[1]]
    assert retry_many() == []
    assert [job_of(acme, job_id).state for job_id in mine] == ["queued", "queued", "failed", "failed"]

    limit(acme, max_queued=None)
    assert retry_many() == mine[2:]


def test_of_many_those_whose_unique_key_is_taken_stay(database: Database, acme: TestTenant) -> None:
    ids = [failed_one(acme) for _ in range(3)]
    database.do("update partywall.jobs set unique_key = 'import' where id = any(:ids)", ids=ids[:2])

    assert retry_many() == [ids[0], ids[2]]
    assert job_of(acme, ids[1]).state == "failed"
