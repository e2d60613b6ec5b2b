"""Hearing of new jobs, and of nothing twice; and who leads."""

import psycopg
import pytest

from db.roles import Role
from db.wakeups import DISPATCHER_LOCK, open_wakeups
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


OPEN_TO_ALL = """
    grant execute on function pg_advisory_lock(bigint), pg_stat_get_activity(integer) to public;
    grant select on pg_stat_activity to public
"""
"""As PostgreSQL comes: where no superuser bootstrapped."""


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "db.wakeups"]


def test_a_leader_that_is_no_dispatcher_is_told_of_once(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    database.do(OPEN_TO_ALL)
    with open_wakeups() as standby:
        with psycopg.connect(database.url(Role.WORKER), autocommit=True) as body:
            body.execute("select pg_advisory_lock(%s)", (DISPATCHER_LOCK,))
            assert [standby.lead(), standby.lead()] == [False, False]

        wait_until(standby.lead, timeout_seconds=10)

    (warning,) = warnings(caplog)
    assert "a session of partywall_worker holds the lock" in warning


@pytest.mark.parametrize("bootstrapped_by_superuser", [True, False])
def test_a_standby_has_nothing_to_tell(
    bootstrapped_by_superuser: bool, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    if not bootstrapped_by_superuser:
        database.do(OPEN_TO_ALL)
    with open_wakeups() as leader, open_wakeups() as standby:
        assert (leader.lead(), standby.lead()) == (True, False)

    assert warnings(caplog) == []
