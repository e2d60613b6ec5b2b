"""Jobs that nobody started in time: expired, never started late."""

from uuid import UUID

from db import attempts, dispatching
from db.attempts import Outcome
from db.roles import Role
from db.session import platform_connection
from tests.databases import Database, TestTenant
from tests.db.racing import at_once
from tests.db.work import body_of, claim_of, dispatch_all, enqueue_one, job_of, start_one, suspend


def reap(limit: int = 100) -> int:
    with platform_connection(Role.DISPATCHER) as connection:
        return dispatching.expire_jobs(connection, limit=limit)


def let_it_pass(database: Database) -> None:
    database.do("update partywall.jobs set expires_at = now()")


def state_of(tenant: TestTenant, job_id: UUID) -> str:
    return job_of(tenant, job_id).state


def test_a_job_whose_moment_is_to_come_is_left_alone(database: Database, acme: TestTenant) -> None:
    job_id = enqueue_one(acme)
    database.do("update partywall.jobs set expires_at = now() + interval '1 minute'")

    assert reap() == 0
    assert state_of(acme, job_id) == "queued"
    assert len(dispatch_all()) == 1


def test_a_job_that_nobody_started_in_time_has_expired(database: Database, acme: TestTenant) -> None:
    waiting, sent = enqueue_one(acme, queue="slow"), enqueue_one(acme)
    dispatch_all()
    let_it_pass(database)

    assert reap() == 2
    for job_id in (waiting, sent):
        job = job_of(acme, job_id)
        assert (job.state, job.attempt) == ("expired", 0)
        assert job.finished_at is not None


def test_it_is_not_sent_late_although_nobody_has_expired_it_yet(database: Database, acme: TestTenant) -> None:
    enqueue_one(acme)
    let_it_pass(database)

    assert dispatch_all() == []


def test_it_is_not_started_late_although_nobody_has_expired_it_yet(database: Database, acme: TestTenant) -> None:
    job_id = enqueue_one(acme)
    (message,) = dispatch_all()
    let_it_pass(database)

    assert claim_of(message) == []
    assert state_of(acme, job_id) == "dispatched"
    assert reap() == 1
    assert claim_of(message) == []


def test_what_was_started_in_time_may_end_after_it(database: Database, acme: TestTenant) -> None:
    attempt = start_one(acme)
    let_it_pass(database)

    assert reap() == 0
    with body_of(attempt) as connection:
        attempts.finish(connection, result=None)
    assert state_of(acme, attempt.job_id) == "succeeded"


def test_a_job_that_waits_for_its_next_try_expires_too(database: Database, acme: TestTenant) -> None:
    attempt = start_one(acme)
    with body_of(attempt) as connection:
        attempts.fail(connection, error={"type": "E"}, retry_after_seconds=3600, outcome=Outcome.FAILED)
    let_it_pass(database)

    assert reap() == 1
    job = job_of(acme, attempt.job_id)
    assert (job.state, job.attempt, job.error) == ("expired", 1, {"type": "E"})


def test_a_job_of_a_suspended_tenant_expires_all_the_same(database: Database, acme: TestTenant) -> None:
    job_id = enqueue_one(acme)
    suspend(acme)
    let_it_pass(database)

    assert reap() == 1
    assert state_of(acme, job_id) == "expired"


def test_no_more_expire_than_asked_the_latest_first(database: Database, acme: TestTenant, zeta: TestTenant) -> None:
    ids = [enqueue_one(tenant) for tenant in (acme, zeta, acme)]
    for age, job_id in enumerate(reversed(ids)):
        database.do(
            "update partywall.jobs set expires_at = now() - :age * interval '1 hour' where id = :id", age=age, id=job_id
        )

    assert reap(limit=1) == 1
    assert state_of(acme, ids[0]) == "expired"
    assert [reap(limit=2), reap(limit=2)] == [2, 0]


def test_reapers_at_once_expire_each_job_once(database: Database, acme: TestTenant) -> None:
    for _ in range(20):
        enqueue_one(acme)
    let_it_pass(database)

    assert sum(at_once(4, lambda: reap(limit=20))) == 20
