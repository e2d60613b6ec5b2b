"""The fence around a body: its effects are kept with its outcome and under its own lease, or not at all."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from db import attempts
from db.errors import LeaseLostError, TokenExpiredError
from db.roles import Role
from db.session import become, platform_connection
from db.tenants import suspend_tenant
from tests.databases import Database, TestTenant
from tests.db.work import WRITE, body_of, effects, job_of, start_again, start_one, take_away


def test_effects_and_outcome_are_one_transaction(database: Database, acme: TestTenant) -> None:
    attempt = start_one(acme)
    with body_of(attempt) as connection:
        connection.execute(WRITE)
        assert (effects(database), job_of(acme, attempt.job_id).state) == (0, "running")
        attempts.finish(connection, result={"written": 1})

    job = job_of(acme, attempt.job_id)
    assert (effects(database), job.state, job.result) == (1, "succeeded", {"written": 1})
    assert job.finished_at is not None
    assert (job.lease_expires_at, job.error, job.checkpoint) == (None, None, None)


def test_a_finish_after_the_lease_was_lost_keeps_nothing(database: Database, acme: TestTenant) -> None:
    zombie = start_one(acme)
    with body_of(zombie) as connection:
        connection.execute(WRITE)
        take_away(database, zombie)
        second = start_again(database)

        with pytest.raises(LeaseLostError):
            attempts.finish(connection, result=None)

    assert (effects(database), second.number) == (0, 2)
    assert job_of(acme, zombie.job_id).state == "running"


def test_a_commit_halfway_after_the_lease_was_lost_keeps_nothing(database: Database, acme: TestTenant) -> None:
    zombie = start_one(acme)
    with body_of(zombie) as connection:
        connection.execute(WRITE)
        take_away(database, zombie)

        with pytest.raises(LeaseLostError):
            connection.commit()

    assert effects(database) == 0


def test_without_the_fence_a_zombies_commit_would_go_through(database: Database, acme: TestTenant) -> None:
    """The test above can see what it guards against."""
    zombie = start_one(acme)
    with platform_connection(Role.WORKER) as connection:
        become(connection, zombie.context)
        connection.execute(WRITE)
        take_away(database, zombie)
        connection.commit()

    assert effects(database) == 1


def test_the_fence_stands_again_after_the_connection_was_lost(database: Database, acme: TestTenant) -> None:
    zombie = start_one(acme)
    with body_of(zombie) as connection:
        pid = connection.execute(text("select pg_backend_pid()")).scalar_one()
        database.do("select pg_terminate_backend(:pid, 5000)", pid=pid)
        with pytest.raises(DBAPIError):
            connection.execute(WRITE)
        attempts.abandon(connection)
        connection.execute(WRITE)
        take_away(database, zombie)

        with pytest.raises(LeaseLostError):
            connection.commit()

    assert effects(database) == 0


def test_a_commit_halfway_keeps_its_part_while_the_lease_holds(database: Database, acme: TestTenant) -> None:
    attempt = start_one(acme)
    with body_of(attempt) as connection:
        connection.execute(WRITE)
        connection.commit()
        connection.execute(WRITE)
        connection.rollback()
        connection.execute(WRITE)
        attempts.finish(connection, result=None)

    assert effects(database) == 2


def test_nothing_can_be_written_after_the_finish(database: Database, acme: TestTenant) -> None:
    attempt = start_one(acme)
    with body_of(attempt) as connection:
        attempts.finish(connection, result=None)
        connection.execute(WRITE)
        with pytest.raises(LeaseLostError):
            connection.commit()
        attempts.abandon(connection)
        with pytest.raises(LeaseLostError):
            attempts.finish(connection, result=None)

    assert effects(database) == 0
    assert job_of(acme, attempt.job_id).state == "succeeded"


def test_a_refused_finish_leaves_a_connection_that_can_report_the_failure(database: Database, acme: TestTenant) -> None:
    """A result that jsonb cannot hold fails inside the fence, after which the server still has a transaction."""
    attempt = start_one(acme)
    with body_of(attempt) as connection:
        connection.execute(WRITE)
        with pytest.raises(DBAPIError):
            attempts.finish(connection, result={"text": "\0"})
        attempts.abandon(connection)
        state = attempts.fail(connection, error={"type": "DataError"}, retry_after_seconds=None)

    assert (state, effects(database)) == ("failed", 0)


def test_a_suspension_does_not_stop_what_runs_from_finishing(acme: TestTenant) -> None:
    attempt = start_one(acme)
    with platform_connection(Role.OPERATOR) as connection:
        suspend_tenant(connection, acme.slug)

    with body_of(attempt) as connection:
        attempts.finish(connection, result=None)

    assert job_of(acme, attempt.job_id).state == "succeeded"


def test_a_body_that_is_past_its_lease_is_told_that_its_token_expired(acme: TestTenant) -> None:
    attempt = start_one(acme, lease_seconds=0.5)
    with pytest.raises(TokenExpiredError), body_of(attempt) as connection:
        connection.execute(text("select pg_sleep(1.6)"))
        connection.execute(WRITE)


def test_a_session_and_a_connection_can_both_be_finished(database: Database, acme: TestTenant) -> None:
    attempt = start_one(acme)
    with body_of(attempt) as connection:
        with connection.begin_nested():
            connection.execute(WRITE)
        attempts.finish(connection, result=[1, 2])

    assert (effects(database), job_of(acme, attempt.job_id).result) == (1, [1, 2])


def test_the_same_connection_runs_one_attempt_after_another(database: Database, acme: TestTenant) -> None:
    """As a bundle does: each is fenced by its own lease."""
    first, second = start_one(acme), start_one(acme)
    with platform_connection(Role.WORKER) as connection:
        for attempt in (first, second):
            become(connection, attempt.context)
            attempts.fence(connection)
            connection.execute(WRITE)
            attempts.finish(connection, result=attempt.number)

    assert effects(database) == 2
    assert {job_of(acme, attempt.job_id).state for attempt in (first, second)} == {"succeeded"}
