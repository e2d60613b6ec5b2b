"""What travels in one message, and how much is at the broker: less while tenants come and go."""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

import pytest

from db.dispatching import Dispatched
from tests.databases import Database, TestTenant
from tests.db.limiting import limit
from tests.db.ordering import LONG, SHORT, backlog, shares, takes
from tests.db.work import TASK, dispatch_all, finish_all


def test_beyond_the_spare_ones_no_more_is_at_the_broker_than_takes_so_long(
    database: Database, acme: TestTenant
) -> None:
    takes(database, TASK, 0.02)
    backlog(acme, 30)

    assert len(dispatch_all(in_flight_spare=2, in_flight_seconds=0.1)) == 5
    assert dispatch_all(in_flight_spare=2, in_flight_seconds=0.1) == []
    assert len(dispatch_all(in_flight_spare=7, in_flight_seconds=0.1)) == 2


def test_short_jobs_of_a_tenant_and_task_that_follow_each_other_travel_together(
    database: Database, acme: TestTenant, zeta: TestTenant
) -> None:
    takes(database, SHORT, 0.004)
    takes(database, LONG, 1)
    backlog(acme, 12, task_name=SHORT)
    backlog(acme, 2, task_name=LONG)
    backlog(zeta, 3, task_name=SHORT)

    sent = dispatch_all(bundle_limit=100, bundle_seconds=0.02)

    sizes = Counter((message.tenant_slug, message.task_name, message.nonce) for message in sent)
    assert Counter((slug, task, size) for (slug, task, _), size in sizes.items()) == {
        ("acme", SHORT, 5): 2,
        ("acme", SHORT, 2): 1,
        ("acme", LONG, 1): 2,
        ("zeta", SHORT, 3): 1,
    }


def test_with_little_to_do_every_worker_gets_a_part(database: Database, acme: TestTenant) -> None:
    takes(database, SHORT, 0.001)
    backlog(acme, 4, task_name=SHORT)

    sent = dispatch_all(bundle_limit=100, bundle_seconds=0.02, in_flight_spare=4)

    assert len({message.nonce for message in sent}) == 4


def in_one_message(sent: Sequence[Dispatched], tenant: TestTenant) -> int:
    return max(Counter(message.nonce for message in sent if message.tenant_id == tenant.id).values())


def dispatch_short_ones(batch_limit: int = 12, **more: Any) -> list[Dispatched]:
    return dispatch_all(batch_limit=batch_limit, bundle_limit=100, bundle_seconds=0.02, **more)


def test_while_tenants_come_and_go_messages_are_half_as_long(
    database: Database, heard: Callable[[], list[str]], acme: TestTenant, zeta: TestTenant
) -> None:
    takes(database, SHORT, 0.002)
    backlog(acme, 60, task_name=SHORT)

    assert in_one_message(dispatch_short_ones(arrivals=heard()), acme) == 10
    backlog(zeta, 1, task_name=SHORT)
    assert in_one_message(dispatch_short_ones(arrivals=heard()), acme) == 5
    assert in_one_message(dispatch_short_ones(), acme) == 5
    database.do("update partywall_private.lanes set came_at = came_at - interval '1 second'")
    assert in_one_message(dispatch_short_ones(), acme) == 10


@pytest.mark.parametrize(("can_overtake", "at_the_broker"), [(True, 10), (False, 5)])
def test_while_tenants_come_and_go_half_as_much_is_at_a_broker_that_lets_nobody_overtake(
    can_overtake: bool,
    at_the_broker: int,
    database: Database,
    heard: Callable[[], list[str]],
    acme: TestTenant,
    zeta: TestTenant,
) -> None:
    takes(database, TASK, 0.02)
    backlog(acme, 20)
    dispatch_all(batch_limit=1)
    backlog(zeta, 1)

    sent = dispatch_all(in_flight_spare=2, in_flight_seconds=0.19, arrivals=heard(), can_overtake=can_overtake)
    assert 1 + len(sent) == at_the_broker


def test_a_tenant_that_has_nothing_we_may_start_does_not_come_and_go(
    database: Database, acme: TestTenant, zeta: TestTenant
) -> None:
    takes(database, SHORT, 0.002)
    backlog(acme, 60, task_name=SHORT)
    dispatch_short_ones(known_tasks=[SHORT])
    backlog(zeta, 1, task_name="notes.unknown")

    assert [in_one_message(dispatch_short_ones(known_tasks=[SHORT]), acme) for _ in range(3)] == [10, 10, 10]


def test_tenants_that_come_to_an_empty_order_are_in_nobodys_way(
    database: Database, heard: Callable[[], list[str]], acme: TestTenant, zeta: TestTenant
) -> None:
    takes(database, SHORT, 0.002)
    backlog(acme, 20, task_name=SHORT)
    backlog(zeta, 20, task_name=SHORT)

    assert in_one_message(dispatch_short_ones(arrivals=heard()), acme) == 10


def test_a_tenant_that_waited_for_its_rate_has_not_come_anew(
    database: Database, heard: Callable[[], list[str]], acme: TestTenant, zeta: TestTenant
) -> None:
    takes(database, SHORT, 0.002)
    limit(zeta, rate=1, burst=1)
    backlog(acme, 40, task_name=SHORT)
    backlog(zeta, 2, task_name=SHORT)
    assert "zeta" in shares(dispatch_all(batch_limit=12))
    database.do("update partywall_private.buckets set filled_at = filled_at - interval '1 second'")
    database.do("update partywall_private.turns set not_before = now() where not_before is not null")

    sent = dispatch_short_ones(batch_limit=20, arrivals=heard())
    assert (shares(sent)["zeta"], in_one_message(sent, acme)) == (1, 10)


def test_the_jobs_of_a_bundle_took_what_passed_since_the_one_before(database: Database, acme: TestTenant) -> None:
    takes(database, SHORT, 0.001)
    backlog(acme, 3, task_name=SHORT)
    sent = dispatch_all(bundle_limit=100, bundle_seconds=0.02)
    finish_all(sent)
    database.do("update partywall.attempts set started_at = now() - interval '1 hour'")
    for place, message in enumerate(sent, 1):
        database.do(
            "update partywall.attempts set ended_at = started_at + :s * interval '1 second' where job_id = :id",
            s=2 * place,
            id=message.job_id,
        )
    database.do("delete from partywall_private.run_times")
    dispatch_all()

    assert database.ask(
        "select distinct round(seconds::numeric, 3)::float8, samples from partywall_private.run_times"
    ) == [(2.0, 3)]


def test_bundles_of_many_tenants_fill_the_room_in_turns(
    database: Database, new_tenant: Callable[[str], TestTenant]
) -> None:
    takes(database, SHORT, 0.002)
    tenants = [new_tenant(f"tenant-{number}") for number in range(20)]
    for tenant in tenants:
        database.do(
            "insert into partywall.jobs (tenant_id, task_name, queue, state, max_attempts, run_at, payload)"
            " select :t, :task, 'default', 'queued', 1, now(), '{}' from generate_series(1, 30)",
            t=tenant.id,
            task=SHORT,
        )

    rounds = [dispatch_all(batch_limit=100, bundle_limit=50, bundle_seconds=0.02) for _ in range(4)]

    for sent in rounds:
        assert len(sent) == 100
        assert set(Counter(message.nonce for message in sent).values()) == {10}
    # Two rounds are a turn of everybody.
    for first, second in (rounds[:2], rounds[2:]):
        assert set(shares([*first, *second]).values()) == {10}


def test_what_waits_in_a_bundle_is_not_charged_for_the_one_that_runs(
    database: Database, acme: TestTenant, zeta: TestTenant
) -> None:
    takes(database, SHORT, 0.001)
    backlog(acme, 30, task_name=SHORT)
    sent = dispatch_all(batch_limit=10, bundle_limit=10, bundle_seconds=0.02)
    finish_all(sent, of=zeta)
    database.do("update partywall.jobs set started_at = now() - interval '3 seconds' where state = 'running'")
    backlog(zeta, 1, task_name=SHORT)
    dispatch_all(batch_limit=1)

    # One of the ten runs, for three seconds; had all been charged, it would be thirty.
    ((had,),) = database.ask("select virtual_time from partywall_private.turns where tenant_id = :t", t=acme.id)
    assert 2.9 < float(str(had)) < 4


def test_what_is_sent_again_is_one_message_again(database: Database, acme: TestTenant) -> None:
    takes(database, SHORT, 0.005)
    backlog(acme, 12, task_name=SHORT)
    first = dispatch_all(bundle_limit=4, bundle_seconds=0.02)
    # The order in which they were due goes across the bundles.
    for place, message in enumerate(first):
        database.do(
            "update partywall.jobs set run_at = run_at - :place % 4 * interval '1 hour' where id = :id",
            place=place,
            id=message.job_id,
        )

    again = dispatch_all(resend_after=-1)

    assert {nonce: len(list(jobs)) for nonce, jobs in groupby(again, key=attrgetter("nonce"))} == Counter(
        message.nonce for message in first
    )
