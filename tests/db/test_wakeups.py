"""Hearing of new jobs, and of nothing twice; and who leads."""

import time
from contextlib import ExitStack

from db.wakeups import LEASE_SECONDS, open_wakeups
from tests.databases import Database, TestTenant
from tests.db.racing import at_once
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


def test_one_leads_until_it_resigns(database: Database) -> None:
    with open_wakeups() as standby:
        with open_wakeups() as leader:
            assert leader.lead()
            assert not standby.lead()

        # It has heard how long the lease is, and asks no earlier.
        wait_until(standby.lead, timeout_seconds=LEASE_SECONDS + 1)
        with open_wakeups() as late:
            assert not late.lead()


def test_who_asks_after_the_leader_resigned_leads_at_once(database: Database) -> None:
    with open_wakeups() as leader:
        assert leader.lead()
    with open_wakeups() as successor:
        assert successor.lead()


def test_who_leads_cannot_be_resigned_for(database: Database) -> None:
    with open_wakeups() as leader:
        assert leader.lead()
        with open_wakeups() as other:
            assert not other.lead()
            other.resign()
        with open_wakeups() as late:
            assert not late.lead()


def test_one_that_says_nothing_leads_no_more(database: Database) -> None:
    with open_wakeups() as stalled, open_wakeups() as standby:
        assert stalled.lead()
        asked_at = time.monotonic()
        wait_until(standby.lead, timeout_seconds=10)

        assert time.monotonic() - asked_at < 2
        # What it believes is as old as its last question, and no older than that.
        assert not stalled.lead()


def test_one_that_speaks_leads_on(database: Database) -> None:
    with open_wakeups() as leader, open_wakeups() as standby:
        until = time.monotonic() + 2 * LEASE_SECONDS
        while time.monotonic() < until:
            assert leader.lead()
            assert not standby.lead()
            leader.wait(10)


def test_of_many_at_once_one_leads(database: Database) -> None:
    with ExitStack() as stack:
        candidates = [stack.enter_context(open_wakeups()) for _ in range(8)]
        asked = iter(candidates)

        assert sum(at_once(8, lambda: next(asked).lead())) == 1


def test_a_clock_that_was_set_back_keeps_nobody_from_leading(database: Database) -> None:
    with open_wakeups() as dead:
        assert dead.lead()
        database.do("update partywall_private.leader set expires_at = now() + interval '1 hour'")
        with open_wakeups() as candidate:
            assert candidate.lead()
