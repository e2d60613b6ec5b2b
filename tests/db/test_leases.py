"""Leases that ran out: the reaper takes the job back, once, and leaves alone what still runs."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text

from db import attempts
from db.roles import Role
from db.session import platform_connection
from tests.databases import Database, TestTenant
from tests.db.racing import at_once
from tests.db.work import TESTS, body_of, claim_of, dispatch_all, enqueue_one, expire, job_of, start_one


def test_an_attempt_that_outlives_its_lease_gives_the_job_back(acme: TestTenant) -> None:
    attempt = start_one(acme, lease_seconds=0)

    (expired,) = expire()

    job = job_of(acme, attempt.job_id)
    assert (expired.job_id, expired.attempt, expired.state) == (job.id, 1, "scheduled")
    assert (job.state, job.attempt, job.lease_expires_at) == ("scheduled", 1, None)
    assert job.error is not None
    assert job.error["type"] == "LeaseExpired"
    assert datetime.now(UTC) - timedelta(seconds=5) < job.run_at < datetime.now(UTC) + timedelta(seconds=2)


def test_an_attempt_within_its_lease_is_left_alone(acme: TestTenant) -> None:
    attempt = start_one(acme, lease_seconds=60)

    assert expire() == []
    assert job_of(acme, attempt.job_id).state == "running"


def test_attempts_are_counted_on_and_end_at_the_last(database: Database, acme: TestTenant) -> None:
    enqueue_one(acme, max_attempts=3)
    numbers, states = [], []
    for _ in range(3):
        database.do("update partywall.jobs set run_at = now()")
        (message,) = dispatch_all()
        (attempt,) = claim_of(message, lease_seconds=0)
        (expired,) = expire()
        numbers.append(attempt.number)
        states.append(expired.state)

    assert (numbers, states) == ([1, 2, 3], ["scheduled", "scheduled", "failed"])
    assert dispatch_all() == []
    assert job_of(acme, attempt.job_id).finished_at is not None


def test_no_more_leases_are_expired_than_asked(acme: TestTenant) -> None:
    for _ in range(3):
        start_one(acme, lease_seconds=0)

    assert [len(expire(limit=2)) for _ in range(3)] == [2, 1, 0]


def test_two_reapers_at_once_take_each_lease_once(acme: TestTenant) -> None:
    for _ in range(40):
        start_one(acme, lease_seconds=0)

    taken = Counter(expired.job_id for each in at_once(4, lambda: expire(limit=40)) for expired in each)

    assert len(taken) == 40
    assert set(taken.values()) == {1}


def test_the_reaper_does_not_take_a_job_that_is_being_finished(acme: TestTenant) -> None:
    """The share lock of the fence makes it wait; here it skips and looks again later."""
    attempt = start_one(acme, lease_seconds=1)
    with body_of(attempt) as connection:
        connection.execute(text("select partywall.hold_lease()"))
        connection.execute(text("select pg_sleep(1.1)"))

        assert expire() == []

    assert [expired.job_id for expired in expire()] == [attempt.job_id]


@pytest.mark.parametrize(("elsewhere", "outcomes"), [(False, {"handed_back"}), (True, {"lost"})])
def test_of_a_bundle_what_its_process_had_not_begun_is_no_loss(
    elsewhere: bool, outcomes: set[str], database: Database, acme: TestTenant
) -> None:
    running, waiting = start_one(acme), start_one(acme)
    nonce, worker = uuid4(), uuid4()
    for place, attempt in enumerate((running, waiting)):
        database.do(
            "update partywall.jobs set dispatch_nonce = :nonce, bundle_place = :place, worker_id = :worker"
            " where id = :id",
            nonce=nonce,
            place=place,
            worker=uuid4() if elsewhere else worker,
            id=attempt.job_id,
        )
    database.do("update partywall.jobs set lease_expires_at = now() where id = :id", id=waiting.job_id)
    expire()

    ended = database.ask("select outcome from partywall.attempts where job_id = :id", id=waiting.job_id)
    assert {outcome for (outcome,) in ended} == outcomes


@pytest.mark.parametrize("limit", [1, 2])
def test_of_a_bundle_that_a_limit_cuts_only_what_ran_is_lost(limit: int, database: Database, acme: TestTenant) -> None:
    ids = [enqueue_one(acme, max_attempts=1) for _ in range(3)]
    sent = dispatch_all(bundle_limit=3, bundle_seconds=60)
    with platform_connection(Role.WORKER) as connection:
        attempts.claim(
            connection,
            tenant_id=acme.id,
            job_ids=ids,
            nonce=sent[0].nonce,
            task_name=sent[0].task_name,
            worker=TESTS,
            lease_seconds=0,
            lifetime_seconds=60,
        )

    while expire(limit=limit):
        pass

    assert [job_of(acme, each).state for each in ids] == ["failed", "queued", "queued"]
    outcomes = database.ask("select outcome from partywall.attempts order by job_id")
    assert [outcome for (outcome,) in outcomes] == ["lost", "handed_back", "handed_back"]
