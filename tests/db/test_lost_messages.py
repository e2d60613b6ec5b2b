"""Messages that the broker lost: told from those that wait there, and sent again at once."""

from db import dispatching
from db.dispatching import Dispatched
from db.roles import Role
from db.session import platform_connection
from tests.databases import Database, TestTenant
from tests.db.racing import at_once
from tests.db.work import TASK, claim_of, dispatch_all, enqueue_one, suspend


def resend_lost(*, at_broker: int, lost_after: float = 0, batch_limit: int = 100, task: str = TASK) -> list[Dispatched]:
    with platform_connection(Role.DISPATCHER) as connection:
        return dispatching.resend_lost(
            connection,
            queue="default",
            known_tasks=[task],
            at_broker=at_broker,
            lost_after_seconds=lost_after,
            batch_limit=batch_limit,
        )


def sent_in_turn(tenant: TestTenant, jobs: int) -> list[Dispatched]:
    """Return the messages of so many jobs, each sent by itself."""
    sent = []
    for _ in range(jobs):
        enqueue_one(tenant)
        sent += dispatch_all()
    return sent


def test_what_the_broker_still_has_is_not_sent_again_and_the_oldest_beyond_it_is(acme: TestTenant) -> None:
    sent = sent_in_turn(acme, 4)

    assert resend_lost(at_broker=4) == []
    assert resend_lost(at_broker=9) == []
    assert resend_lost(at_broker=1) == sent[:3]


def test_all_of_an_emptied_queue_is_sent_again_batch_by_batch(acme: TestTenant) -> None:
    sent = sent_in_turn(acme, 5)

    assert resend_lost(at_broker=0, batch_limit=2) == sent[:2]
    assert resend_lost(at_broker=2, batch_limit=2) == sent[2:4]
    assert resend_lost(at_broker=4, batch_limit=2) == sent[4:]
    assert resend_lost(at_broker=5, batch_limit=2) == []


def test_a_message_sent_again_has_its_nonce_and_is_claimed_once(acme: TestTenant) -> None:
    (sent,) = sent_in_turn(acme, 1)
    (again,) = resend_lost(at_broker=0)

    assert again == sent
    assert [len(claim_of(message)) for message in (sent, again)] == [1, 0]
    assert resend_lost(at_broker=0) == []


def test_a_message_may_be_on_its_way_twice_as_long_each_time(database: Database, acme: TestTenant) -> None:
    sent_in_turn(acme, 1)

    def lost_after(seconds: int) -> bool:
        database.do("update partywall.jobs set dispatched_at = now() - make_interval(secs => :s)", s=seconds)
        return resend_lost(at_broker=0, lost_after=10) != []

    assert [lost_after(9), lost_after(11), lost_after(19), lost_after(21)] == [False, True, False, True]


def test_what_no_worker_would_run_is_left_alone(acme: TestTenant, zeta: TestTenant) -> None:
    sent_in_turn(acme, 1)
    (of_zeta,) = sent_in_turn(zeta, 1)
    suspend(acme)

    assert resend_lost(at_broker=0, task="notes.forget") == []
    assert resend_lost(at_broker=0) == [of_zeta]


def test_two_dispatchers_at_once_send_each_again_once(database: Database, acme: TestTenant) -> None:
    sent = sent_in_turn(acme, 20)
    database.do("update partywall.jobs set dispatched_at = now() - interval '90 seconds'")

    again = [message for taken in at_once(4, lambda: resend_lost(at_broker=0, lost_after=60)) for message in taken]

    assert sorted(message.job_id for message in again) == sorted(message.job_id for message in sent)


def test_whether_any_waits_for_long_is_told(acme: TestTenant) -> None:
    enqueue_one(acme)
    with platform_connection(Role.DISPATCHER) as connection:
        assert not dispatching.are_unclaimed(connection, queue="default", for_seconds=0)
        (sent,) = dispatch_all()

        assert dispatching.are_unclaimed(connection, queue="default", for_seconds=0)
        assert not dispatching.are_unclaimed(connection, queue="default", for_seconds=60)
        assert not dispatching.are_unclaimed(connection, queue="slow", for_seconds=0)
        claim_of(sent)
        assert not dispatching.are_unclaimed(connection, queue="default", for_seconds=0)
