"""When a job ended: at that moment, not when the transaction began that ended it."""

from datetime import datetime

from sqlalchemy import Connection, text

from db import attempts, steering
from db.jobs import list_attempts
from db.roles import Role
from db.session import tenant_session
from tests.databases import TestTenant
from tests.db.work import WRITE, body_of, enqueue_one, job_of, start_one


def clock(connection: Connection) -> datetime:
    moment: datetime = connection.execute(text("select clock_timestamp()")).scalar_one()
    return moment


def test_a_job_finished_when_its_body_ended(acme: TestTenant) -> None:
    """Its body may have run for an hour, in one transaction."""
    attempt = start_one(acme)
    with body_of(attempt) as connection:
        connection.execute(WRITE)
        before = clock(connection)
        attempts.finish(connection, result=None)

    job = job_of(acme, attempt.job_id)
    assert job.finished_at is not None
    assert job.finished_at >= before
    with tenant_session(acme.context, role=Role.API) as session:
        assert [row.ended_at for row in list_attempts(session, job.id, limit=9)] == [job.finished_at]


def test_a_job_that_another_jobs_body_cancels_did_not_end_before_it_began(acme: TestTenant) -> None:
    body = start_one(acme)
    with body_of(body) as connection:
        connection.execute(WRITE)
        running = start_one(acme)
        waiting = enqueue_one(acme)
        for job_id in (running.job_id, waiting):
            steering.cancel_job(connection, job_id, reason=None)
        attempts.finish(connection, result=None)

    ran, waited = job_of(acme, running.job_id), job_of(acme, waiting)
    assert ran.started_at is not None
    assert ran.finished_at is not None
    assert waited.finished_at is not None
    assert ran.finished_at >= ran.started_at
    assert waited.finished_at >= waited.created_at
