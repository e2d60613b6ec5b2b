"""Claiming a job: which message may, and of many at once exactly one."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from db import attempts
from db.attempts import Attempt, WorkerIdentity
from db.engine import dispose_engines
from db.errors import TenantDeletingError, TenantSuspendedError
from db.roles import Role
from db.session import platform_connection
from tests.databases import Database, TestTenant
from tests.db.racing import at_once
from tests.db.work import TESTS, claim_of, dispatch_all, enqueue_one, job_of


def claim(tenant_id: UUID, job_id: UUID, nonce: UUID, *, task_name: str = "notes.write") -> list[Attempt]:
    with platform_connection(Role.WORKER) as connection:
        return attempts.claim(
            connection,
            tenant_id=tenant_id,
            job_ids=[job_id],
            nonce=nonce,
            task_name=task_name,
            worker=TESTS,
            lease_seconds=60,
            lifetime_seconds=60,
        )


def test_a_claim_tells_all_a_worker_needs(acme: TestTenant) -> None:
    job_id = enqueue_one(acme, payload={"body": "hello"}, max_attempts=4)
    (message,) = dispatch_all()
    (attempt,) = claim_of(message, lease_seconds=90, worker=WorkerIdentity(uuid4(), "worker@host/7"))

    assert (attempt.job_id, attempt.number, attempt.max_attempts) == (job_id, 1, 4)
    assert (attempt.payload, attempt.checkpoint) == ({"body": "hello"}, None)
    assert (attempt.tenant_slug, attempt.tenant_name, attempt.context.tenant_id) == ("acme", "Acme", acme.id)
    assert timedelta(seconds=80) < attempt.lease_expires_at - datetime.now(UTC) <= timedelta(seconds=90)
    job = job_of(acme, job_id)
    assert (job.state, job.attempt, job.worker) == ("running", 1, "worker@host/7")
    assert attempt.context.token not in repr(attempt)


def test_only_the_message_that_was_sent_can_claim(acme: TestTenant, zeta: TestTenant) -> None:
    job_id = enqueue_one(acme)
    (message,) = dispatch_all()
    nonce = message.nonce

    assert claim(acme.id, job_id, uuid4()) == []
    assert claim(acme.id, job_id, nonce, task_name="notes.read") == []
    assert claim(zeta.id, job_id, nonce) == []
    assert claim(acme.id, uuid4(), nonce) == []
    assert len(claim(acme.id, job_id, nonce)) == 1
    assert claim(acme.id, job_id, nonce) == []


def test_a_job_that_was_not_dispatched_cannot_be_claimed(database: Database, acme: TestTenant) -> None:
    job_id = enqueue_one(acme)
    nonce = uuid4()
    database.do("update partywall.jobs set dispatch_nonce = :nonce", nonce=nonce)

    assert claim(acme.id, job_id, nonce) == []


@pytest.mark.parametrize(
    ("status", "refusal"), [("suspended", TenantSuspendedError), ("deleting", TenantDeletingError)]
)
def test_a_claim_for_a_tenant_that_may_not_work_is_refused_and_the_job_stays(
    status: str, refusal: type[Exception], database: Database, acme: TestTenant
) -> None:
    job_id = enqueue_one(acme)
    (message,) = dispatch_all()
    database.do("update partywall.tenants set status = :status", status=status)

    with pytest.raises(refusal):
        claim_of(message)

    assert database.ask("select id, state from partywall.jobs") == [(job_id, "dispatched")]


@pytest.mark.parametrize("status", ["active", "suspended", "deleting"])
def test_a_claim_without_the_nonce_does_not_tell_whether_there_is_such_a_tenant(
    status: str, database: Database, acme: TestTenant
) -> None:
    job_id = enqueue_one(acme)
    dispatch_all()
    database.do("update partywall.tenants set status = :status", status=status)

    assert claim(acme.id, job_id, uuid4()) == claim(uuid4(), uuid4(), uuid4()) == []


def test_the_claims_order_is_the_messages(acme: TestTenant, database: Database) -> None:
    jobs = [enqueue_one(acme) for _ in range(3)]
    dispatch_all()
    nonce = uuid4()
    database.do("update partywall.jobs set dispatch_nonce = :nonce", nonce=nonce)
    asked = [jobs[2], jobs[0], jobs[1]]

    with platform_connection(Role.WORKER) as connection:
        claimed = attempts.claim(
            connection,
            tenant_id=acme.id,
            job_ids=asked,
            nonce=nonce,
            task_name="notes.write",
            worker=TESTS,
            lease_seconds=60,
            lifetime_seconds=60,
        )

    assert [attempt.job_id for attempt in claimed] == asked


def test_of_many_claims_of_one_message_exactly_one_wins(acme: TestTenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTYWALL_POOL_SIZE", "8")
    dispose_engines()
    for _ in range(5):
        enqueue_one(acme)
        (message,) = dispatch_all()
        won = at_once(8, lambda message=message: claim_of(message))  # type: ignore[misc]
        assert sorted(map(len, won)) == [0] * 7 + [1]
    dispose_engines()
