"""Keys: the same request twice is one job, and one live job has a unique key, whoever else asks at the same moment."""

from collections import Counter
from typing import Any
from uuid import UUID

import pytest

from db import accepting, attempts, dispatching, steering
from db.accepting import Accepted, Wishes
from db.engine import dispose_engines
from db.errors import IdempotencyKeyReusedError, TenantSuspendedError, UniqueKeyTakenError
from db.roles import Role
from db.session import platform_connection, tenant_session
from tests.databases import Database, TestTenant
from tests.db.racing import at_once
from tests.db.work import TASK, body_of, claim_one, job_of, start_again, suspend, take_away

ONE = Wishes(idempotency_key="order-1")
UNIQUE = Wishes(unique_key="import")
OR_THE_LIVE_ONE = Wishes(unique_key="import", if_live="return")
ONE_OR_THE_LIVE_ONE = Wishes(idempotency_key="order-1", unique_key="import", if_live="return")


def accept(tenant: TestTenant, wishes: Wishes, *, payload: Any = None, task_name: str = TASK) -> Accepted:
    with tenant_session(tenant.context, role=Role.API) as session:
        return accepting.accept(
            session, task_name=task_name, payload=payload, queue="default", max_attempts=3, wishes=wishes
        )


def jobs_in(database: Database) -> int:
    return len(database.ask("select 1 from partywall.jobs"))


def finish_one(tenant: TestTenant) -> None:
    with body_of(claim_one(tenant)) as connection:
        attempts.finish(connection, result=None)


def fail_one(tenant: TestTenant) -> None:
    with body_of(claim_one(tenant)) as connection:
        attempts.fail(connection, error={}, retry_after_seconds=None)


def cancel(tenant: TestTenant, job_id: UUID) -> None:
    with tenant_session(tenant.context, role=Role.API) as session:
        steering.cancel_job(session, job_id, reason=None)


def retry(tenant: TestTenant, job_id: UUID) -> None:
    with tenant_session(tenant.context, role=Role.API) as session:
        steering.retry_job(session, job_id)


@pytest.fixture
def eight_connections(database: Database, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("PARTYWALL_POOL_SIZE", "8")
    dispose_engines()
    yield
    dispose_engines()


def test_the_same_request_twice_is_one_job(database: Database, acme: TestTenant) -> None:
    first = accept(acme, ONE, payload={"a": 1, "b": [1, 2]})
    # The same JSON, spelled otherwise.
    second = accept(acme, ONE, payload={"b": [1, 2], "a": 1})

    assert (first.is_new, second.is_new) == (True, False)
    assert first.job_id == second.job_id
    assert jobs_in(database) == 1


def test_the_same_request_is_the_same_job_also_when_that_is_over(acme: TestTenant) -> None:
    first = accept(acme, ONE)
    finish_one(acme)

    assert accept(acme, ONE) == Accepted(first.job_id, is_new=False)


def test_a_key_cannot_stand_for_another_payload_or_another_task(database: Database, acme: TestTenant) -> None:
    accept(acme, ONE, payload={"amount": 1})

    with pytest.raises(IdempotencyKeyReusedError):
        accept(acme, ONE, payload={"amount": 2})
    with pytest.raises(IdempotencyKeyReusedError):
        accept(acme, ONE, payload={"amount": 1}, task_name="notes.read")
    assert jobs_in(database) == 1


def test_another_tenant_has_its_own_keys(acme: TestTenant, zeta: TestTenant) -> None:
    mine = accept(acme, Wishes(idempotency_key="1", unique_key="1"), payload={"whose": "acme"})
    theirs = accept(zeta, Wishes(idempotency_key="1", unique_key="1"), payload={"whose": "zeta"})

    assert mine.is_new
    assert theirs.is_new
    assert job_of(zeta, theirs.job_id).payload == {"whose": "zeta"}


def test_requests_without_a_key_are_jobs_of_their_own(database: Database, acme: TestTenant) -> None:
    assert accept(acme, Wishes()).is_new
    assert accept(acme, Wishes()).is_new
    assert jobs_in(database) == 2


@pytest.mark.usefixtures("eight_connections")
@pytest.mark.parametrize("wishes", [ONE, OR_THE_LIVE_ONE, ONE_OR_THE_LIVE_ONE])
def test_the_same_request_many_times_at_once_is_one_job(wishes: Wishes, database: Database, acme: TestTenant) -> None:
    for round_ in range(1, 6):
        accepted = at_once(8, lambda: accept(acme, wishes))

        assert len({each.job_id for each in accepted}) == 1
        assert Counter(each.is_new for each in accepted) == {True: 1, False: 7}
        assert jobs_in(database) == 1, round_
        database.do("delete from partywall.jobs")


@pytest.mark.usefixtures("eight_connections")
def test_of_many_requests_for_one_unique_key_at_once_one_is_accepted(database: Database, acme: TestTenant) -> None:
    def outcome() -> str:
        try:
            return "accepted" if accept(acme, UNIQUE).is_new else "another's"
        except UniqueKeyTakenError:
            return "refused"

    assert Counter(at_once(8, outcome)) == {"accepted": 1, "refused": 7}
    assert jobs_in(database) == 1


def test_a_request_that_was_rolled_back_leaves_its_key_free(database: Database, acme: TestTenant) -> None:
    with tenant_session(acme.context, role=Role.API) as session:
        before = accepting.accept(session, task_name=TASK, payload=None, queue="default", max_attempts=3, wishes=ONE)
        session.rollback()

    accepted = accept(acme, ONE)
    assert accepted.is_new
    assert accepted.job_id != before.job_id
    assert jobs_in(database) == 1


def test_a_key_is_free_again_when_its_job_was_pruned(database: Database, acme: TestTenant) -> None:
    first = accept(acme, ONE, payload=1)
    finish_one(acme)
    database.do("update partywall.jobs set finished_at = now() - interval '1000 days'")
    with tenant_session(acme.context, role=Role.WORKER) as session:
        assert steering.prune_jobs(session, limit=10) == 1

    second = accept(acme, ONE, payload=2)
    assert second.is_new
    assert second.job_id != first.job_id
    assert database.ask("select job_id from partywall.attempts") == []


def test_a_tenant_that_may_not_work_is_refused_also_for_a_job_it_has(acme: TestTenant) -> None:
    accept(acme, ONE)
    suspend(acme)

    with pytest.raises(TenantSuspendedError):
        accept(acme, ONE)


def test_a_live_job_with_the_unique_key_is_in_the_way_or_the_answer(database: Database, acme: TestTenant) -> None:
    live = accept(acme, UNIQUE, payload=1)

    with pytest.raises(UniqueKeyTakenError, match=str(live.job_id)):
        accept(acme, UNIQUE, payload=2)
    assert accept(acme, OR_THE_LIVE_ONE, payload=3) == Accepted(live.job_id, is_new=False)
    assert jobs_in(database) == 1


def test_the_same_request_is_its_own_job_and_not_the_live_one(acme: TestTenant) -> None:
    both = Wishes(idempotency_key="order-1", unique_key="import")
    first = accept(acme, both)

    assert accept(acme, both) == Accepted(first.job_id, is_new=False)


def test_a_request_that_was_answered_with_the_live_job_gets_it_again_when_it_is_over(
    database: Database, acme: TestTenant
) -> None:
    live = accept(acme, UNIQUE, payload="the other's")
    answers = [accept(acme, ONE_OR_THE_LIVE_ONE, payload="mine")]
    finish_one(acme)
    answers += [accept(acme, wishes, payload="mine") for wishes in (ONE_OR_THE_LIVE_ONE, ONE)]

    assert answers == [Accepted(live.job_id, is_new=False)] * 3
    assert jobs_in(database) == 1
    assert accept(acme, OR_THE_LIVE_ONE, payload="mine").is_new


def test_the_key_it_was_answered_for_stands_for_that_request_only(database: Database, acme: TestTenant) -> None:
    accept(acme, UNIQUE, payload="the other's")
    accept(acme, ONE_OR_THE_LIVE_ONE, payload="mine")

    with pytest.raises(IdempotencyKeyReusedError):
        accept(acme, ONE_OR_THE_LIVE_ONE, payload="the other's")
    with pytest.raises(IdempotencyKeyReusedError):
        accept(acme, ONE, payload="mine", task_name="notes.read")
    assert jobs_in(database) == 1


def test_that_key_is_free_again_when_the_job_was_pruned(database: Database, acme: TestTenant) -> None:
    live = accept(acme, UNIQUE)
    accept(acme, ONE_OR_THE_LIVE_ONE)
    finish_one(acme)
    database.do("update partywall.jobs set finished_at = now() - interval '1000 days'")
    with tenant_session(acme.context, role=Role.WORKER) as session:
        assert steering.prune_jobs(session, limit=10) == 1

    second = accept(acme, ONE_OR_THE_LIVE_ONE, payload="another")
    assert second.is_new
    assert second.job_id != live.job_id


def test_who_was_answered_with_a_job_keeps_nobody_from_ending_it(database: Database, acme: TestTenant) -> None:
    """A body may be, and its transaction may last."""
    live = accept(acme, UNIQUE)
    attempt = claim_one(acme)
    with tenant_session(acme.context, role=Role.WORKER) as session:
        accepting.accept(
            session, task_name=TASK, payload=None, queue="default", max_attempts=3, wishes=ONE_OR_THE_LIVE_ONE
        )
        with body_of(attempt) as connection:
            attempts.fail(connection, error={}, retry_after_seconds=0)
        cancel(acme, live.job_id)
        retry(acme, live.job_id)
        cancel(acme, live.job_id)

    assert job_of(acme, live.job_id).state == "cancelled"
    assert accept(acme, ONE) == Accepted(live.job_id, is_new=False)


@pytest.mark.parametrize("end", ["succeeded", "failed", "cancelled", "expired"])
def test_a_unique_key_is_free_when_its_job_is_over(end: str, database: Database, acme: TestTenant) -> None:
    first = accept(acme, UNIQUE)
    if end == "succeeded":
        finish_one(acme)
    elif end == "failed":
        fail_one(acme)
    elif end == "cancelled":
        cancel(acme, first.job_id)
    else:
        database.do("update partywall.jobs set expires_at = now()")
        with platform_connection(Role.DISPATCHER) as connection:
            dispatching.expire_jobs(connection, limit=1)

    assert job_of(acme, first.job_id).state == end
    assert accept(acme, UNIQUE).is_new


def test_a_unique_key_outlives_the_worker_that_was_killed(database: Database, acme: TestTenant) -> None:
    """Nobody was left to give it back, and nobody has to: the job is live until it is over."""
    first = accept(acme, UNIQUE)
    attempt = claim_one(acme)
    take_away(database, attempt)
    with pytest.raises(UniqueKeyTakenError):
        accept(acme, UNIQUE)

    with body_of(start_again(database)) as connection:
        attempts.finish(connection, result=None)
    second = accept(acme, UNIQUE)
    assert second.job_id != first.job_id


def test_a_retry_is_refused_while_another_job_has_the_unique_key(acme: TestTenant) -> None:
    first = accept(acme, UNIQUE)
    fail_one(acme)
    second = accept(acme, UNIQUE)

    with pytest.raises(UniqueKeyTakenError):
        retry(acme, first.job_id)
    assert job_of(acme, first.job_id).state == "failed"

    cancel(acme, second.job_id)
    retry(acme, first.job_id)
    assert job_of(acme, first.job_id).state == "queued"
    with pytest.raises(UniqueKeyTakenError):
        retry(acme, second.job_id)


@pytest.mark.parametrize("wishes", [Wishes(idempotency_key="k" * 256), Wishes(unique_key="k" * 256)])
def test_a_key_is_at_most_255_characters(wishes: Wishes, acme: TestTenant) -> None:
    with pytest.raises(Exception, match="jobs_keys_are_short"):
        accept(acme, wishes)
