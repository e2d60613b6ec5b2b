"""The list of processes that run bodies, as the operator reads it."""

import os
from hashlib import sha256
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError

from db import attempts, workers
from db.attempts import WorkerIdentity
from db.errors import WorkerNotProvenError
from db.roles import Role
from db.session import platform_connection
from db.workers import WorkerOverview
from tests.databases import Database, TestTenant
from tests.db.work import body_of, claim_of, dispatch_all, enqueue_one

FIRST = WorkerIdentity(UUID("01990000-0000-7000-8000-00000000000a"), "a@here/1")
SECOND = WorkerIdentity(UUID("01990000-0000-7000-8000-00000000000b"), "b@here/2")


NOT_FIRST = WorkerIdentity(FIRST.id, "a@here/1")
"""Who has the same login and knows its id, as a body may."""


def register(worker: WorkerIdentity, *, slots: int = 1) -> None:
    with platform_connection(Role.WORKER) as connection:
        workers.register(connection, worker, pool="prefork", queues=["default", "slow"], slots=slots)


def served() -> list[int]:
    with platform_connection(Role.DISPATCHER) as connection:
        return [each.slots for each in workers.served_queues(connection)]


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
        workers.heartbeat(connection, FIRST, [], lease_seconds=60)
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
        workers.forget(connection, FIRST)
        workers.forget(connection, WorkerIdentity(uuid4(), "c@here/3"))

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
def test_nobody_says_that_a_process_is_there_without_its_secret() -> None:
    register(FIRST)
    (before,) = overview()

    with pytest.raises(WorkerNotProvenError):
        register(NOT_FIRST)
    with platform_connection(Role.WORKER) as connection:
        workers.heartbeat(connection, NOT_FIRST, [], lease_seconds=60)
    assert overview() == [before]


@pytest.mark.usefixtures("database")
def test_nobody_takes_a_process_off_the_list_without_its_secret() -> None:
    register(FIRST)
    with platform_connection(Role.WORKER) as connection:
        workers.forget(connection, NOT_FIRST)

    assert [worker.id for worker in overview()] == [FIRST.id]


@pytest.mark.parametrize("call", ["heartbeat(%s, '{}', '1 minute', 'guessed')", "forget_worker(%s, 'guessed')"])
def test_nobody_holds_up_a_process_without_its_secret(call: str, database: Database) -> None:
    """Its heartbeat would wait for the body that did it, until the leases of all that it runs are over."""
    register(FIRST)
    with psycopg.connect(database.url(Role.WORKER)) as body:
        body.execute(f"select partywall.{call}", (FIRST.id,))

        free = database.ask("select id from partywall_private.workers for update skip locked")
        body.rollback()

    assert free == [(FIRST.id,)]


def test_no_secret_is_stored(database: Database) -> None:
    register(FIRST)

    assert database.ask("select secret_sha256 from partywall_private.workers") == [(sha256(FIRST.secret).digest(),)]


@pytest.mark.usefixtures("database")
def test_every_process_has_a_secret_of_its_own_and_shows_it_nowhere() -> None:
    one, other = (WorkerIdentity(FIRST.id, "a@here/1") for _ in range(2))

    assert len(one.secret) == 32
    assert one.secret != other.secret
    assert "secret" not in repr(one)


@pytest.mark.usefixtures("database")
def test_a_process_runs_256_bodies_at_most() -> None:
    register(FIRST, slots=workers.SLOTS_LIMIT)

    with pytest.raises(DBAPIError, match="workers_have_slots"):
        register(SECOND, slots=workers.SLOTS_LIMIT + 1)


def test_a_process_that_is_not_there_counts_for_45_seconds(database: Database) -> None:
    """Whoever has the login may list one, a body too; nothing makes it stay."""
    register(FIRST, slots=workers.SLOTS_LIMIT)
    silent(database, FIRST, 44)
    counted = served()
    silent(database, FIRST, 46)

    assert (counted, served()) == ([256], [])


def test_a_row_that_a_body_has_locked_is_forgotten_later(database: Database) -> None:
    register(FIRST)
    register(SECOND)
    silent(database, FIRST, 100)
    silent(database, SECOND, 100)
    # So that who waits for it after all does not wait for ever.
    with psycopg.connect(database.url(Role.WORKER), options="-c idle_in_transaction_session_timeout=5s") as body:
        body.execute("select partywall.heartbeat(%s, '{}', '1 minute', %s)", (FIRST.id, FIRST.secret))

        forgotten = forget_lost(silent_seconds=60)
        body.rollback()

    assert forgotten == 1
    assert [worker.id for worker in overview()] == [FIRST.id]


@pytest.mark.usefixtures("database")
def test_a_name_that_would_fill_the_disk_is_refused() -> None:
    with pytest.raises(DBAPIError, match="workers_names_are_short"):
        register(WorkerIdentity(uuid4(), "x" * 256))


@pytest.mark.parametrize("role", [Role.WORKER, Role.API, Role.DISPATCHER])
@pytest.mark.usefixtures("database")
def test_only_an_operator_reads_the_list(role: Role) -> None:
    with pytest.raises(DBAPIError, match="permission denied"), platform_connection(role) as connection:
        workers.workers_overview(connection)
