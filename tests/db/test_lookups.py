"""A job that is named is found by its key, however many others of its tenant are on their way."""

from collections.abc import Callable

import pytest

from db import attempts
from db.attempts import Attempt, Outcome, end_attempts
from db.engine import dispose_engines
from db.roles import Role
from db.session import platform_connection, tenant_session
from db.workers import heartbeat
from tests.databases import Database, TestTenant
from tests.db.work import TESTS, body_of, claim_of, dispatch_all, enqueue_one

JOBS = 200
INDEXES = ("jobs_in_flight", "jobs_waiting")


def read_from(database: Database) -> int:
    """Return how many entries of the indexes of jobs in some state were ever read, by sessions that have ended."""
    dispose_engines()
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
        heartbeat(connection, TESTS.id, [attempt.context], lease_seconds=900)


def hand_back(attempt: Attempt) -> None:
    with platform_connection(Role.WORKER) as connection:
        end_attempts(
            connection,
            tenant_id=attempt.context.tenant_id,
            job_ids=[attempt.job_id],
            nonce=attempt.context.tenant_id,
            worker=TESTS.name,
            outcome=Outcome.HANDED_BACK,
        )


@pytest.mark.parametrize(
    "act",
    [finish, fail, commit_halfway, report_progress, save_checkpoint, beat, hand_back],
    ids=lambda act: act.__name__,
)
def test_by_its_key(act: Callable[[Attempt], None], database: Database, acme: TestTenant) -> None:
    for _ in range(JOBS):
        enqueue_one(acme)
    message, *_ = dispatch_all(batch_limit=JOBS)
    before = read_from(database)

    (attempt,) = claim_of(message)
    act(attempt)

    assert read_from(database) - before < JOBS / 2
