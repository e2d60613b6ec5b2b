"""A message that was sent: sent again when nobody claims it, worthless once it is undone."""

from uuid import UUID, uuid4

import psycopg
from sqlalchemy import text

from db import dispatching
from db.roles import Role
from db.session import platform_connection
from tests.databases import Database, TestTenant
from tests.db.work import claim_of, dispatch_all, enqueue_one, expire, job_of, suspend


def undo(*nonces: UUID) -> int:
    with platform_connection(Role.DISPATCHER) as connection:
        return dispatching.undo_dispatch(connection, nonces)


def test_a_message_that_nobody_claimed_is_sent_again_with_its_nonce_and_claimed_once(acme: TestTenant) -> None:
    enqueue_one(acme)
    (first,) = dispatch_all()
    assert dispatch_all(resend_after=60) == []

    (again,) = dispatch_all(resend_after=0, in_flight_limit=0)

    assert again == first
    assert [len(claim_of(message)) for message in (first, again)] == [1, 0]


def test_a_suspended_tenants_message_is_not_sent_again(acme: TestTenant) -> None:
    enqueue_one(acme)
    dispatch_all()
    suspend(acme)

    assert dispatch_all(resend_after=0) == []


def test_undoing_makes_a_job_wait_again_and_its_message_worthless(acme: TestTenant) -> None:
    enqueue_one(acme)
    (lost,) = dispatch_all()

    assert undo(lost.nonce, uuid4()) == 1
    assert claim_of(lost) == []
    (sent,) = dispatch_all()
    assert sent.nonce != lost.nonce
    assert len(claim_of(sent)) == 1


def test_undoing_leaves_a_job_that_was_claimed_after_all(acme: TestTenant) -> None:
    enqueue_one(acme)
    (message,) = dispatch_all()
    (attempt,) = claim_of(message)

    assert undo(message.nonce) == 0
    assert job_of(acme, attempt.job_id).state == "running"


def test_undoing_does_not_wait_for_a_worker_that_is_claiming(database: Database, acme: TestTenant) -> None:
    enqueue_one(acme)
    (message,) = dispatch_all()

    with psycopg.connect(database.admin_url) as claiming:
        claiming.execute("select from partywall.jobs for update")
        with platform_connection(Role.DISPATCHER) as connection:
            connection.execute(text("set lock_timeout = '2s'"))
            assert dispatching.undo_dispatch(connection, [message.nonce]) == 0
        claiming.rollback()

    assert len(claim_of(message)) == 1


def test_the_pause_before_sending_again_doubles(database: Database, acme: TestTenant) -> None:
    enqueue_one(acme)
    dispatch_all()

    def sent_after(seconds: int) -> bool:
        database.do("update partywall.jobs set dispatched_at = now() - make_interval(secs => :s)", s=seconds)
        return dispatch_all(resend_after=10) != []

    assert [sent_after(9), sent_after(11), sent_after(19), sent_after(21), sent_after(39), sent_after(41)] == [
        False,
        True,
        False,
        True,
        False,
        True,
    ]


def test_the_first_send_after_a_failed_attempt_counts_anew(database: Database, acme: TestTenant) -> None:
    enqueue_one(acme)
    dispatch_all()
    (message,) = dispatch_all(resend_after=0)
    claim_of(message, lease_seconds=0)
    expire()
    database.do("update partywall.jobs set run_at = now()")
    dispatch_all()

    assert database.ask("select sends, attempt from partywall.jobs") == [(1, 1)]
