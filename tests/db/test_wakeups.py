"""Hearing of new jobs, and of nothing twice."""

from db.wakeups import open_wakeups
from tests.databases import Database, TestTenant
from tests.db.work import enqueue_one
from tests.waiting import wait_until


def test_what_a_standby_heard_while_it_asked_for_the_lead_does_not_wake_it_once_each(
    database: Database, acme: TestTenant
) -> None:
    with open_wakeups() as leader, open_wakeups() as standby:
        assert leader.lead()
        for _ in range(20):
            enqueue_one(acme)
            # Every question reads what has arrived meanwhile, and keeps it.
            assert not standby.lead()
        times_woken = 0
        while standby.wait(0.5):
            times_woken += 1

    assert 1 <= times_woken < 10


def test_one_session_leads_until_it_ends(database: Database) -> None:
    with open_wakeups() as standby:
        with open_wakeups() as leader:
            assert leader.lead()
            assert not standby.lead()

        # The server frees the lock when it has noticed that the session is gone.
        wait_until(standby.lead, timeout_seconds=10)
