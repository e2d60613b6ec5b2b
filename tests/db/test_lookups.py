"""A job that is named is found by its key, however many others of its tenant are on their way."""

from collections.abc import Callable
from uuid import UUID

import pytest

from db import attempts
from db.attempts import Attempt, Outcome, end_attempts
from db.dispatching import Dispatched
from db.engine import dispose_engines
from db.roles import Role
from db.session import platform_connection, tenant_session
from db.waiting import Reason, waiting_on, waiting_on_each
from db.workers import heartbeat, register
from tests.databases import Database, TestTenant, make_tenant
from tests.db.notes import create_notes
from tests.db.test_lifecycle_machine import take_out
from tests.db.work import TESTS, body_of, claim_of, dispatch_all, enqueue_one
from tests.waiting import wait_until

JOBS = 200
INDEXES = ("jobs_in_flight", "jobs_waiting")


def read_from(database: Database) -> int:
    """Return how many entries of the indexes of jobs in some state were ever read, by sessions that have ended."""
    dispose_engines()
    # They count when they end.
    others = "select 1 from pg_stat_activity where datname = current_database() and usename like 'partywall%'"
    wait_until(lambda: not database.ask(others), timeout_seconds=20)
    query = "select sum(idx_tup_read) from pg_stat_all_indexes where indexrelname = any(:names)"
    ((read,),) = database.ask(query, names=list(INDEXES))
    return int(str(read))


def finish(attempt: Attempt) -> None:
    with body_of(attempt) as connection:
        attempts.finish(connection, result=None)


def fail(attempt: Attempt) -> None:
    with body_of(attempt) as connection:
        attempts.abandon(connection)
        attempts.fail(connection, error=None, retry_after_seconds=None)


def commit_halfway(attempt: Attempt) -> None:
    with body_of(attempt) as connection:
        connection.begin()
        connection.commit()


def report_progress(attempt: Attempt) -> None:
    attempts.report_progress(attempt.context, current=1, total=2, note=None)


def save_checkpoint(attempt: Attempt) -> None:
    with tenant_session(attempt.context, role=Role.WORKER) as session:
        attempts.save_checkpoint(session, state={})


def beat(attempt: Attempt) -> None:
    with platform_connection(Role.WORKER) as connection:
        heartbeat(connection, TESTS, [attempt.context], lease_seconds=900)


def many_on_their_way(tenant: TestTenant) -> Dispatched:
    """Return one of many jobs of the tenant that were sent."""
    for _ in range(JOBS):
        enqueue_one(tenant)
    message, *_ = dispatch_all(batch_limit=JOBS)
    return message


def waiting_for_their_turn(tenant: TestTenant) -> list[UUID]:
    """Return jobs of the tenant that nothing keeps from starting."""
    with platform_connection(Role.WORKER) as connection:
        register(connection, TESTS, pool="threads", queues=["default"])
    jobs = [enqueue_one(tenant) for _ in range(JOBS)]
    dispatch_all(batch_limit=0)
    return jobs


@pytest.mark.parametrize(
    "act", [finish, fail, commit_halfway, report_progress, save_checkpoint, beat], ids=lambda act: act.__name__
)
def test_by_its_key(act: Callable[[Attempt], None], database: Database, acme: TestTenant) -> None:
    message = many_on_their_way(acme)
    before = read_from(database)

    (attempt,) = claim_of(message)
    act(attempt)

    assert read_from(database) - before < JOBS / 2


def test_by_its_key_when_its_process_is_gone(database: Database, acme: TestTenant) -> None:
    message = many_on_their_way(acme)
    before = read_from(database)

    (attempt,) = claim_of(message)
    with platform_connection(Role.WORKER) as connection:
        ended = end_attempts(
            connection,
            tenant_id=acme.id,
            job_ids=[attempt.job_id],
            nonce=message.nonce,
            worker=TESTS.name,
            outcome=Outcome.HANDED_BACK,
        )

    assert list(ended) == [attempt.job_id]
    assert read_from(database) - before < JOBS / 2


def test_what_they_wait_for_is_told_of_many_without_counting_who_is_before_them(
    database: Database, acme: TestTenant
) -> None:
    jobs = waiting_for_their_turn(acme)
    before = read_from(database)

    with tenant_session(acme.context, role=Role.API) as session:
        found = waiting_on_each(session, jobs[-50:])

    assert {each.reason for each in found.values()} == {Reason.BEHIND}
    assert read_from(database) - before < JOBS / 2


def test_only_those_before_it_are_counted(database: Database, acme: TestTenant) -> None:
    jobs = waiting_for_their_turn(acme)
    before = read_from(database)

    with tenant_session(acme.context, role=Role.API) as session:
        found = waiting_on(session, jobs[3])

    assert found is not None
    assert found.ahead == 3
    assert read_from(database) - before < JOBS / 2


def test_looked_for_among_all_it_would_be_seen(own_database: Database) -> None:
    """The tests above can see what they guard against."""
    create_notes(own_database)
    take_out(own_database, "claim", " || ''")
    message = many_on_their_way(make_tenant("acme"))
    before = read_from(own_database)

    claim_of(message)

    assert read_from(own_database) - before >= JOBS
