"""What a rate gets back: of jobs that were dispatched and never begun, and of nothing else."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import psycopg
import pytest

from db import accepting, attempts, dispatching, steering
from db.attempts import Outcome
from db.dispatching import Dispatched
from db.jobs import JobState
from db.roles import Role
from db.session import platform_connection, tenant_session
from db.tenants import delete_tenant
from tests.databases import Database, TestTenant
from tests.db.limiting import ONE_AN_HOUR, dispatched, enqueue_some, let_pass, limit, listening
from tests.db.work import TASK, TESTS, body_of, claim_of, dispatch_all, enqueue_one, expire, start_one
from tests.waiting import wait_until


def take_back(nonces: list[object]) -> int:
    with platform_connection(Role.DISPATCHER) as connection:
        return dispatching.undo_dispatch(connection, nonces)  # type: ignore[arg-type]


def test_what_was_taken_back_is_given_back(acme: TestTenant) -> None:
    limit(acme, rate=ONE_AN_HOUR, burst=3)
    enqueue_some(acme, 10)
    sent = dispatch_all()

    assert take_back([message.nonce for message in sent[:2]]) == 2

    assert dispatched() == {"acme": 2}


def claim_together(tenant: TestTenant, sent: list[Dispatched]) -> None:
    with platform_connection(Role.WORKER) as connection:
        attempts.claim(
            connection,
            tenant_id=tenant.id,
            job_ids=[message.job_id for message in sent],
            nonce=sent[0].nonce,
            task_name=TASK,
            worker=TESTS,
            lease_seconds=0,
            lifetime_seconds=60,
        )


def end_together(tenant: TestTenant, sent: list[Dispatched]) -> dict[UUID, JobState]:
    with platform_connection(Role.WORKER) as connection:
        return attempts.end_attempts(
            connection,
            tenant_id=tenant.id,
            job_ids=[message.job_id for message in sent],
            nonce=sent[0].nonce,
            worker=TESTS.name,
            outcome=Outcome.HANDED_BACK,
        )


def hand_back(database: Database, acme: TestTenant, message: Dispatched) -> None:
    claim_together(acme, [message])
    end_together(acme, [message])


def cancel(database: Database, acme: TestTenant, message: Dispatched) -> None:
    with tenant_session(acme.context, role=Role.API) as session:
        steering.cancel_job(session, message.job_id, reason=None)


def let_expire(database: Database, acme: TestTenant, message: Dispatched) -> None:
    database.do("update partywall.jobs set expires_at = now() where id = :id", id=message.job_id)
    with platform_connection(Role.DISPATCHER) as connection:
        assert dispatching.expire_jobs(connection, limit=9) == 1


@pytest.mark.parametrize("end", [hand_back, cancel, let_expire])
def test_what_ends_before_it_has_begun_gives_back_what_it_took(
    end: Callable[[Database, TestTenant, Dispatched], None], database: Database, acme: TestTenant
) -> None:
    limit(acme, rate=ONE_AN_HOUR, burst=3)
    enqueue_some(acme, 10)
    first, *_ = dispatch_all()
    assert dispatched() == {}

    with listening(database) as heard:
        end(database, acme, first)

        assert len(dispatch_all(arrivals=heard())) == 1
    assert dispatched() == {}


@pytest.mark.parametrize("end", [cancel, let_expire])
def test_what_ends_before_it_was_dispatched_has_taken_nothing(
    end: Callable[[Database, TestTenant, Dispatched], None], database: Database, acme: TestTenant
) -> None:
    limit(acme, rate=ONE_AN_HOUR, burst=1)
    enqueue_some(acme, 3)
    (sent,) = dispatch_all()
    claim_of(sent)
    waiting = enqueue_one(acme)

    end(database, acme, Dispatched(acme.id, acme.slug, waiting, TASK, "default", sent.nonce))

    assert dispatched() == {}


def test_what_has_lost_its_worker_had_begun_and_gives_back_nothing(database: Database, acme: TestTenant) -> None:
    limit(acme, rate=ONE_AN_HOUR, burst=1)
    enqueue_some(acme, 2)
    (sent,) = dispatch_all()
    claim_of(sent, lease_seconds=0)

    expire()

    assert dispatched() == {}


def test_a_bundles_neighbours_that_were_not_begun_give_back_what_they_took(acme: TestTenant) -> None:
    limit(acme, rate=ONE_AN_HOUR, burst=3)
    enqueue_some(acme, 3)
    sent = dispatch_all(bundle_limit=3, bundle_seconds=60)
    claim_together(acme, sent)

    expire()

    assert dispatched() == {"acme": 2}


def test_what_runs_for_a_deleted_tenant_gets_what_its_other_jobs_took(acme: TestTenant) -> None:
    limit(acme, rate=ONE_AN_HOUR, burst=1)
    enqueue_one(acme)
    assert dispatched() == {"acme": 1}
    with tenant_session(acme.context, role=Role.API) as session:
        accepting.accept(session, task_name=TASK, payload={}, queue="default", max_attempts=1, runs_for_deleted=True)
    with platform_connection(Role.OPERATOR) as connection:
        delete_tenant(connection, acme.slug)
    assert dispatched() == {}

    with platform_connection(Role.DISPATCHER) as connection:
        assert dispatching.cancel_jobs_of_deleted(connection, limit=9) == 1

    assert dispatched() == {"acme": 1}


def test_a_body_that_cancels_what_was_dispatched_holds_up_no_dispatch(acme: TestTenant) -> None:
    """It goes on after that: were the bucket locked until it ends, all tenants would wait for it."""
    limit(acme, rate=ONE_AN_HOUR, burst=9)
    attempt = start_one(acme)
    enqueue_one(acme)
    (sent,) = dispatch_all()
    enqueue_one(acme)

    with body_of(attempt) as connection:
        steering.cancel_job(connection, sent.job_id, reason=None)

        assert dispatched() == {"acme": 1}


def test_who_hands_back_and_waits_for_a_job_holds_up_no_dispatch(database: Database, acme: TestTenant) -> None:
    limit(acme, rate=ONE_AN_HOUR, burst=30)
    enqueue_some(acme, 20)
    sent = dispatch_all(bundle_limit=20, bundle_seconds=60)
    claim_together(acme, sent)

    with ThreadPoolExecutor(1) as thread, psycopg.connect(database.admin_url) as other:
        other.execute("select from partywall.jobs where id = %s for update", [sent[-1].job_id])
        ending = thread.submit(end_together, acme, sent)
        wait_until(lambda: who_waits(database) == 1, timeout_seconds=10, what="it waits for the last")
        assert database.ask("select true from partywall_private.buckets for update nowait") == [(True,)]
        other.rollback()

        assert len(ending.result(10)) == 20


def who_waits(database: Database) -> int:
    query = "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    return len(database.ask(query))


def test_who_gives_back_does_not_wait_for_a_dispatch(database: Database, acme: TestTenant) -> None:
    limit(acme, rate=ONE_AN_HOUR, burst=1)
    enqueue_one(acme)
    (sent,) = dispatch_all()

    with psycopg.connect(database.admin_url) as other:
        other.execute("select from partywall_private.buckets for update")
        cancel(database, acme, sent)

    assert database.ask("select tokens < 1 from partywall_private.buckets") == [(True,)]


def test_what_is_given_back_while_a_dispatch_looks_is_not_overwritten(database: Database, acme: TestTenant) -> None:
    limit(acme, rate=ONE_AN_HOUR, burst=9)
    enqueue_some(acme, 5)
    dispatch_all(batch_limit=2)
    ((before,),) = database.ask("select tokens from partywall_private.buckets")

    with ThreadPoolExecutor(1) as thread, psycopg.connect(database.admin_url) as other:
        other.execute("update partywall_private.buckets set tokens = tokens + 1")
        dispatching_one = thread.submit(dispatch_all, batch_limit=1)
        wait_until(lambda: who_waits(database) == 1, timeout_seconds=10, what="it waits for the bucket")
        other.commit()
        assert len(dispatching_one.result(10)) == 1

    # One was given back and one was taken.
    ((after,),) = database.ask("select tokens from partywall_private.buckets")
    assert float(str(after)) == pytest.approx(float(str(before)), abs=0.1)


def test_no_more_than_a_burst_is_given_back(database: Database, acme: TestTenant) -> None:
    limit(acme, rate=ONE_AN_HOUR, burst=2)
    enqueue_some(acme, 10)
    sent = dispatch_all()
    let_pass(database, hours=1000)

    for message in sent:
        cancel(database, acme, message)

    assert dispatched() == {"acme": 2}


def test_a_changed_limit_gives_back_what_was_not_begun(acme: TestTenant) -> None:
    limit(acme, rate=ONE_AN_HOUR, burst=3)
    enqueue_some(acme, 10)
    dispatch_all()

    limit(acme, weight=2)

    assert dispatched() == {"acme": 3}
