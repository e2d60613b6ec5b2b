"""Many jobs at once: in order, all or none, and otherwise as if each had been accepted by itself."""

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from db.accepting import BATCH_LIMIT, Accepted, NewJob, Wishes, accept_many
from db.errors import (
    BatchInvalidError,
    IdempotencyKeyReusedError,
    NoTenantError,
    PartywallError,
    PayloadTooLargeError,
    PayloadUnstorableError,
    PriorityInvalidError,
    QueueFullError,
    TenantDeletingError,
    TenantDrainingError,
    TenantSuspendedError,
    TooManyJobsError,
    UniqueKeyTakenError,
)
from db.limits import drain_tenant
from db.roles import Role
from db.session import platform_connection, tenant_session
from db.tenants import delete_tenant
from tests.databases import Database, TestTenant
from tests.db.limiting import limit
from tests.db.work import TASK, dispatch_all, enqueue_one, job_of, suspend

STATEMENT = text("select * from partywall.enqueue_many(cast(:items as jsonb))")


def job(payload: Any = None, **wishes: Any) -> NewJob:
    return NewJob(TASK, payload, "default", 3, wishes=Wishes(**wishes))


def accept(tenant: TestTenant, jobs: Sequence[NewJob]) -> list[Accepted]:
    with tenant_session(tenant.context, role=Role.API) as session:
        return accept_many(session, jobs)


def refusal_of(tenant: TestTenant, jobs: Sequence[NewJob]) -> PartywallError:
    with pytest.raises(PartywallError) as refusal:
        accept(tenant, jobs)
    return refusal.value


def call(tenant: TestTenant, items: Any) -> None:
    with tenant_session(tenant.context, role=Role.API) as session:
        session.execute(STATEMENT, {"items": json.dumps(items)})


def jobs_in(database: Database) -> int:
    return len(database.ask("select 1 from partywall.jobs"))


def test_each_is_a_job_of_its_own_with_what_was_wished_for_it(acme: TestTenant) -> None:
    accepted = accept(
        acme, [job({"a": 1}), job(None, priority=7), NewJob("notes.read", [2], "slow", 5, 4, runs_for_deleted=True)]
    )

    assert [each.is_new for each in accepted] == [True] * 3
    first, second, third = (job_of(acme, each.job_id) for each in accepted)
    assert (first.task_name, first.queue, first.payload, first.max_attempts) == (TASK, "default", {"a": 1}, 3)
    assert (first.state, first.priority, first.run_at) == ("queued", 0, first.created_at)
    assert (second.payload, second.priority) == (None, 7)
    assert (third.task_name, third.queue, third.payload, third.max_attempts) == ("notes.read", "slow", [2], 5)


def test_it_is_the_row_that_enqueue_makes(database: Database, acme: TestTenant) -> None:
    enqueue_one(acme, payload={"a": [1, None]})
    accept(acme, [job({"a": [1, None]})])

    one, other = database.ask("select to_jsonb(jobs) - array['id', 'run_at', 'created_at'] from partywall.jobs")
    assert one == other


def test_they_start_in_the_order_of_the_batch_also_those_with_keys(acme: TestTenant) -> None:
    keyed = {3: {"idempotency_key": "a"}, 4: {"unique_key": "b"}, 9: {"idempotency_key": "c", "unique_key": "d"}}
    accepted = accept(acme, [job(place, **keyed.get(place, {})) for place in range(100)])

    ids = [each.job_id for each in accepted]
    assert [job_of(acme, each).payload for each in ids] == list(range(100))
    assert [message.job_id for message in dispatch_all(batch_limit=100)] == ids
    assert ids == sorted(ids)
    assert {(each.version, each.variant) for each in ids} == {(7, UUID(int=2 << 62).variant)}


def test_more_than_a_thousand_are_several_statements_of_one_transaction(database: Database, acme: TestTenant) -> None:
    accepted = accept(acme, [job(place) for place in range(2 * BATCH_LIMIT + 1)])

    assert len({each.job_id for each in accepted}) == jobs_in(database) == 2 * BATCH_LIMIT + 1
    refusal = refusal_of(acme, [*map(job, range(BATCH_LIMIT + 5)), job("x" * 262144)])
    assert refusal.facts["position"] == BATCH_LIMIT + 5
    assert jobs_in(database) == 2 * BATCH_LIMIT + 1


def test_of_nothing_nothing_comes(database: Database, acme: TestTenant) -> None:
    assert accept(acme, []) == []


def test_keys_stand_for_what_was_accepted_before_also_in_the_same_batch(database: Database, acme: TestTenant) -> None:
    batch = [job(1, idempotency_key="a"), job(2), job(1, idempotency_key="a"), job(3, unique_key="u", if_live="return")]
    first = accept(acme, batch)
    again = accept(acme, batch)

    assert [each.is_new for each in first] == [True, True, False, True]
    assert [each.is_new for each in again] == [False, True, False, False]
    assert first[0].job_id == first[2].job_id == again[0].job_id == again[2].job_id
    assert first[3].job_id == again[3].job_id
    assert jobs_in(database) == 4


def test_another_tenant_has_its_own_keys_and_jobs(acme: TestTenant, zeta: TestTenant) -> None:
    batch = [job(1, idempotency_key="a"), job(2, unique_key="b"), job(3)]
    mine, theirs = accept(acme, batch), accept(zeta, batch)

    assert all(each.is_new for each in theirs)
    assert not {each.job_id for each in mine} & {each.job_id for each in theirs}
    assert {message.tenant_slug for message in dispatch_all()} == {"acme", "zeta"}


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        (job("x" * 262144), PayloadTooLargeError),
        (job({"text": "nul \0"}), PayloadUnstorableError),
        (job("\ud800"), PayloadUnstorableError),
        (job({"a": [1, 2, "three\nlines\n"], "b": {"c": ["nul \0"]}}), PayloadUnstorableError),
        (job(float("inf")), PayloadUnstorableError),
        (job("another", idempotency_key="taken"), IdempotencyKeyReusedError),
        (job(unique_key="live"), UniqueKeyTakenError),
    ],
)
def test_what_is_wrong_with_one_is_told_with_its_position_and_none_is_accepted(
    wrong: NewJob, expected: type[PartywallError], database: Database, acme: TestTenant
) -> None:
    accept(acme, [job(idempotency_key="taken"), job(unique_key="live")])

    refusal = refusal_of(acme, [job(1), job([1, 2], idempotency_key="b"), job("\n"), wrong, job(4)])

    assert type(refusal) is expected
    assert refusal.facts["position"] == 3
    assert refusal.hint
    assert jobs_in(database) == 2


def test_the_first_that_is_wrong_is_told(acme: TestTenant) -> None:
    refusal = refusal_of(acme, [job(), job("x" * 300000), job("x" * 300000)])

    assert refusal.facts["position"] == 1


def test_a_full_queue_takes_all_or_none(database: Database, acme: TestTenant) -> None:
    limit(acme, max_queued=3)

    enqueue_one(acme)

    assert isinstance(refusal_of(acme, [job()] * 3), QueueFullError)
    assert isinstance(refusal_of(acme, [job(), job(unique_key="a"), job()]), QueueFullError)
    assert jobs_in(database) == 1
    assert len(accept(acme, [job(), job(unique_key="a")])) == 2


@pytest.mark.parametrize(
    "batch",
    [
        [job()] * 4,
        [job(), job(unique_key="a"), *[job()] * 2],
        [job(idempotency_key=key) for key in "abcd"],
        [job(idempotency_key=key, unique_key=key, if_live="return") for key in "abcd"],
    ],
)
def test_more_than_may_ever_wait_are_not_told_to_come_again(
    batch: list[NewJob], database: Database, acme: TestTenant
) -> None:
    limit(acme, max_queued=3)

    refusal = refusal_of(acme, batch)

    assert isinstance(refusal, TooManyJobsError)
    assert (refusal.message, refusal.retryable) == ("4 jobs are more than the 3 that may wait at a time", False)
    assert "at most 3" in (refusal.hint or "")
    assert jobs_in(database) == 0


def test_more_than_a_statement_takes_are_more_than_may_ever_wait_too(database: Database, acme: TestTenant) -> None:
    limit(acme, max_queued=BATCH_LIMIT + 1)

    assert isinstance(refusal_of(acme, [job()] * (BATCH_LIMIT + 2)), TooManyJobsError)
    assert jobs_in(database) == 0
    assert len(accept(acme, [job()] * (BATCH_LIMIT + 1))) == BATCH_LIMIT + 1


def test_a_tenant_that_may_not_work_is_refused(database: Database, acme: TestTenant, zeta: TestTenant) -> None:
    with platform_connection(Role.OPERATOR) as connection:
        drain_tenant(connection, acme.slug, reason="moving out")
    assert isinstance(refusal_of(acme, [job()]), TenantDrainingError)
    suspend(acme)
    assert isinstance(refusal_of(acme, [job()]), TenantSuspendedError)

    with platform_connection(Role.OPERATOR) as connection:
        delete_tenant(connection, zeta.slug)
    cleaning = NewJob(TASK, None, "default", 3, runs_for_deleted=True)
    assert isinstance(refusal_of(zeta, [cleaning, job()]), TenantDeletingError)
    assert len(accept(zeta, [cleaning])) == jobs_in(database) == 1


def test_without_a_tenant_there_is_no_job(database: Database) -> None:
    with platform_connection(Role.API) as connection, pytest.raises(NoTenantError):
        connection.execute(STATEMENT, {"items": "[]"})


@pytest.mark.parametrize("items", [None, {}, "x", 1, [], [{"task_name": "t"}] * 1001])
def test_what_is_no_batch_is_refused(items: Any, acme: TestTenant) -> None:
    with pytest.raises(BatchInvalidError, match="1 to 1,000 jobs") as refusal:
        call(acme, items)

    assert "position" not in refusal.value.facts


WHOLE = {"task_name": "t", "payload": None, "queue": "default", "max_attempts": 1}


@pytest.mark.parametrize("item", [1, None, "x", [], {}, *({k: WHOLE[k] for k in WHOLE if k != left} for left in WHOLE)])
def test_what_is_no_job_is_refused(item: Any, acme: TestTenant) -> None:
    with pytest.raises(BatchInvalidError) as refusal:
        call(acme, [WHOLE, item])

    assert refusal.value.facts["position"] == 1


@pytest.mark.parametrize("priority", [101, -101, 0.5, "high", 2**70, []])
def test_what_is_no_priority_is_refused(priority: Any, acme: TestTenant) -> None:
    with pytest.raises(PriorityInvalidError) as refusal:
        call(acme, [WHOLE, WHOLE | {"priority": -100}, WHOLE | {"priority": priority}])

    assert refusal.value.facts["position"] == 2
