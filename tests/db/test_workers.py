"""The list of processes that run bodies, as the operator reads it."""

import os
from uuid import UUID, uuid4

import pytest
from sqlalchemy.exc import DBAPIError

from db import attempts, workers
from db.attempts import WorkerIdentity
from db.roles import Role
from db.session import platform_connection
from db.workers import WorkerOverview
from tests.databases import Database, TestTenant
from tests.db.work import body_of, claim_of, dispatch_all, enqueue_one

FIRST = WorkerIdentity(UUID("01990000-0000-7000-8000-00000000000a"), "a@here/1")
SECOND = WorkerIdentity(UUID("01990000-0000-7000-8000-00000000000b"), "b@here/2")


def register(worker: WorkerIdentity) -> None:
    with platform_connection(Role.WORKER) as connection:
        workers.register(connection, worker, pool="prefork", queues=["default", "slow"])


def overview() -> list[WorkerOverview]:
    with platform_connection(Role.OPERATOR) as connection:
        return workers.workers_overview(connection)


def forget_lost(silent_seconds: float) -> int:
    with platform_connection(Role.DISPATCHER) as connection:
        return workers.forget_lost(connection, silent_seconds=silent_seconds)


def silent(database: Database, worker: WorkerIdentity, seconds: int) -> None:
    database.do(
        "update partywall_private.workers set seen_at = now() - make_interval(secs => :s) where id = :id",
        s=seconds,
        id=worker.id,
    )


@pytest.mark.usefixtures("database")
def test_a_process_is_listed_with_who_it_is() -> None:
    register(SECOND)
    register(FIRST)

    first, second = overview()
    assert (first.id, first.name, first.pid) == (FIRST.id, FIRST.name, os.getpid())
    assert (first.pool, list(first.queues), list(first.jobs)) == ("prefork", ["default", "slow"], [])
    assert second.id == SECOND.id


def test_a_process_is_listed_once_and_was_seen_last_when_it_said_so(database: Database) -> None:
    register(FIRST)
    silent(database, FIRST, 100)
    (before,) = overview()

    register(FIRST)
    (again,) = overview()
    assert again.seen_at > before.seen_at
    assert again.started_at == before.started_at

    silent(database, FIRST, 100)
    with platform_connection(Role.WORKER) as connection:
        workers.heartbeat(connection, FIRST.id, [], lease_seconds=60)
    (beaten,) = overview()
    assert beaten.seen_at > before.seen_at


def test_it_shows_what_each_process_runs_now(acme: TestTenant, zeta: TestTenant) -> None:
    register(FIRST)
    register(SECOND)
    running = []
    for tenant in (acme, zeta, acme):
        enqueue_one(tenant)
        (message,) = dispatch_all()
        running += claim_of(message, worker=FIRST)

    first, second = overview()
    assert [(job.tenant_slug, job.job_id, job.attempt) for job in first.jobs] == [
        (attempt.tenant_slug, attempt.job_id, 1) for attempt in running
    ]
    assert {job.task_name for job in first.jobs} == {"notes.write"}
    assert list(second.jobs) == []

    with body_of(running[0]) as connection:
        attempts.finish(connection, result=None)
    assert [job.job_id for job in overview()[0].jobs] == [attempt.job_id for attempt in running[1:]]


@pytest.mark.usefixtures("database")
def test_a_process_that_ends_takes_itself_off_the_list() -> None:
    register(FIRST)
    register(SECOND)
    with platform_connection(Role.WORKER) as connection:
        workers.forget(connection, FIRST.id)
        workers.forget(connection, uuid4())

    assert [worker.id for worker in overview()] == [SECOND.id]


def test_a_process_that_was_not_heard_of_is_taken_off(database: Database) -> None:
    register(FIRST)
    register(SECOND)
    silent(database, FIRST, 100)

    assert (forget_lost(silent_seconds=60), forget_lost(silent_seconds=60)) == (1, 0)
    assert [worker.id for worker in overview()] == [SECOND.id]


def test_what_a_forgotten_process_runs_still_has_its_lease(database: Database, acme: TestTenant) -> None:
    register(FIRST)
    enqueue_one(acme)
    (message,) = dispatch_all()
    (attempt,) = claim_of(message, worker=FIRST)
    silent(database, FIRST, 100)
    forget_lost(silent_seconds=60)

    assert database.ask("select state from partywall.jobs") == [("running",)]
    with body_of(attempt) as connection:
        attempts.finish(connection, result=None)


@pytest.mark.usefixtures("database")
def test_a_name_that_would_fill_the_disk_is_refused() -> None:
    with pytest.raises(DBAPIError, match="workers_names_are_short"):
        register(WorkerIdentity(uuid4(), "x" * 256))


@pytest.mark.parametrize("role", [Role.WORKER, Role.API, Role.DISPATCHER])
@pytest.mark.usefixtures("database")
def test_only_an_operator_reads_the_list(role: Role) -> None:
    with pytest.raises(DBAPIError, match="permission denied"), platform_connection(role) as connection:
        workers.workers_overview(connection)
