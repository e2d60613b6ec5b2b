"""Pausing, draining and resuming a tenant: at once, whoever is at work, and with who and when."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from db import attempts, limits
from db.accepting import accept
from db.errors import LimitInvalidError
from db.roles import Role
from db.session import platform_connection
from db.tenants import list_tenants, resume_tenant, suspend_tenant
from tests.databases import Database, TestTenant
from tests.db.limiting import dispatched, enqueue_some, limits_of, listening
from tests.db.work import TASK, body_of, claim_of, dispatch_all, enqueue_one, job_of, start_one
from tests.waiting import wait_until

DISPATCH = "select * from partywall.dispatch(array[%s], null, null, 100, 100, interval '1 minute')"


def pause(tenant: TestTenant, *, reason: str | None = "an outage") -> None:
    with platform_connection(Role.OPERATOR) as connection:
        limits.pause_tenant(connection, tenant.slug, reason=reason, changed_by="operator/mary")


def resume(tenant: TestTenant) -> None:
    with platform_connection(Role.OPERATOR) as connection:
        resume_tenant(connection, tenant.slug, changed_by="operator/joe")


def test_a_paused_tenant_starts_nothing_and_accepts_all(acme: TestTenant, zeta: TestTenant) -> None:
    pause(acme)
    enqueue_some(acme, 2)
    enqueue_some(zeta, 2)

    assert dispatched() == {"zeta": 2}


def test_a_pause_takes_back_what_was_dispatched_and_not_begun(acme: TestTenant) -> None:
    jobs = [enqueue_one(acme), enqueue_one(acme)]
    begun, waiting = dispatch_all()
    (attempt,) = claim_of(begun)

    pause(acme)

    assert claim_of(waiting) == []
    assert [job_of(acme, job_id).state for job_id in jobs] == ["running", "queued"]
    with body_of(attempt) as connection:
        attempts.finish(connection, result=None)
    assert job_of(acme, jobs[0]).state == "succeeded"
    assert dispatch_all() == []


def test_a_resumed_tenant_is_served_at_once(database: Database, acme: TestTenant) -> None:
    enqueue_some(acme, 2)
    dispatch_all()
    pause(acme)
    assert dispatch_all() == []

    with listening(database) as heard:
        resume(acme)

        assert len(dispatch_all(arrivals=heard())) == 2


def test_a_dispatch_that_had_begun_cannot_overtake_a_pause(database: Database, acme: TestTenant) -> None:
    assert dispatch_all() == []
    enqueue_one(acme)
    with ThreadPoolExecutor(1) as threads, psycopg.connect(database.url(Role.DISPATCHER)) as slow:
        (sent,) = slow.execute(DISPATCH, ("default",)).fetchall()
        pausing = threads.submit(pause, acme)
        waits = "select from pg_locks where not granted"
        wait_until(lambda: pausing.done() or database.ask(waits) != [], timeout_seconds=10)
        slow.commit()
        pausing.result(timeout=10)

    with platform_connection(Role.WORKER) as connection:
        row = connection.execute(
            text("""
                select count(*)
                from partywall.claim(:tenant, array[:job], :nonce, :task, 'w', null, interval '1 m', interval '1 m')
            """),
            {"tenant": sent[0], "job": sent[2], "nonce": sent[5], "task": TASK},
        ).scalar_one()
    assert row == 0


def test_a_pause_waits_for_no_body(database: Database, acme: TestTenant) -> None:
    """A body that has enqueued something holds a lock on its tenant's row until it ends, whenever that is."""
    attempt = start_one(acme)
    with body_of(attempt) as connection:
        accept(connection, task_name=TASK, payload={}, queue="default", max_attempts=1)

        with psycopg.connect(database.url(Role.OPERATOR), options="-c lock_timeout=2s") as operator:
            operator.execute("select partywall.set_flow('acme', 'paused', null, null)")
            operator.execute("select partywall.suspend_tenant('acme')")

    assert limits_of(acme).flow == "paused"


def test_resuming_lifts_pause_drain_and_suspension(acme: TestTenant) -> None:
    with platform_connection(Role.OPERATOR) as connection:
        for stop in (limits.pause_tenant, limits.drain_tenant):
            suspend_tenant(connection, "acme")
            stop(connection, "acme", reason=None)

            resume_tenant(connection, "acme")

            assert [tenant.status for tenant in list_tenants(connection)] == ["active"]
            assert limits.tenant_limits(connection, "acme").flow == "open"


def test_who_paused_it_when_and_why_is_kept_until_somebody_says_otherwise(acme: TestTenant) -> None:
    pause(acme)
    first = limits_of(acme)
    assert (first.flow, first.flow_by, first.flow_reason) == ("paused", "operator/mary", "an outage")

    with platform_connection(Role.OPERATOR) as connection:
        limits.pause_tenant(connection, "acme", reason="an outage", changed_by="operator/joe")
    assert limits_of(acme) == first

    resume(acme)
    after = limits_of(acme)
    assert (after.flow, after.flow_by, after.flow_reason) == ("open", "operator/joe", None)
    assert after.flow_at is not None
    assert first.flow_at is not None
    assert after.flow_at > first.flow_at
    # It says nothing of the limits.
    assert after.changes == {}


def test_resuming_who_was_never_stopped_leaves_no_trace(database: Database, acme: TestTenant) -> None:
    resume(acme)

    assert database.ask("select count(*) from partywall.tenant_limits") == [(0,)]


def test_a_reason_has_at_most_500_characters(acme: TestTenant) -> None:
    pause(acme, reason="x" * 500)
    with pytest.raises(LimitInvalidError, match="500"):
        pause(acme, reason="x" * 501)


def test_there_is_no_other_flow(database: Database, acme: TestTenant) -> None:
    with platform_connection(Role.OPERATOR) as connection, pytest.raises((LimitInvalidError, DBAPIError)) as refusal:
        connection.execute(text("select partywall.set_flow('acme', 'closed', null, null)"))

    assert isinstance(refusal.value, LimitInvalidError)
