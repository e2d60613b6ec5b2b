"""A tenant that comes back owing nothing: its first message overtakes what others have at the broker."""

from collections.abc import Callable, Sequence

import pytest

from db.dispatching import Dispatched
from tests.databases import Database, TestTenant
from tests.db.ordering import backlog, shares, takes
from tests.db.work import TASK, dispatch_all


def overtaking(sent: Sequence[Dispatched]) -> list[tuple[str, bool]]:
    return [(message.tenant_slug, message.overtakes) for message in sent]


def test_its_first_message_overtakes_and_its_others_do_not(acme: TestTenant, zeta: TestTenant) -> None:
    backlog(acme, 10)
    assert overtaking(dispatch_all(batch_limit=3)) == [("acme", True), ("acme", False), ("acme", False)]
    backlog(zeta, 4)

    assert overtaking(dispatch_all(batch_limit=3))[0] == ("zeta", True)
    assert not any(overtakes for _, overtakes in overtaking(dispatch_all()))


def test_a_whole_bundle_overtakes(database: Database, acme: TestTenant) -> None:
    takes(database, TASK, 0.001)
    backlog(acme, 6)

    sent = dispatch_all(bundle_limit=3, bundle_seconds=0.02)

    assert overtaking(sent) == [("acme", True)] * 3 + [("acme", False)] * 3


def test_who_has_had_more_than_the_others_does_not(database: Database, acme: TestTenant, zeta: TestTenant) -> None:
    takes(database, TASK, 1)
    backlog(acme, 3)
    backlog(zeta, 20)
    assert shares(dispatch_all(batch_limit=6)) == {"acme": 3, "zeta": 3}
    backlog(acme, 1)

    assert sorted(overtaking(dispatch_all(batch_limit=2))) == [("acme", False), ("zeta", False)]


def test_who_comes_back_after_others_had_theirs_does(database: Database, acme: TestTenant, zeta: TestTenant) -> None:
    takes(database, TASK, 1)
    backlog(acme, 1)
    backlog(zeta, 20)
    dispatch_all(batch_limit=10)
    backlog(acme, 1)

    assert overtaking(dispatch_all(batch_limit=1)) == [("acme", True)]


def test_it_is_sent_though_others_fill_the_broker(database: Database, acme: TestTenant, zeta: TestTenant) -> None:
    takes(database, TASK, 1)
    backlog(acme, 10)
    assert len(dispatch_all(in_flight_spare=2, in_flight_seconds=0.1)) == 2
    backlog(zeta, 2)

    assert overtaking(dispatch_all(in_flight_spare=2, in_flight_seconds=0.1)) == [("zeta", True)]
    assert dispatch_all(in_flight_spare=2, in_flight_seconds=0.1) == []


def test_where_none_can_overtake_it_waits_for_its_turn(database: Database, acme: TestTenant, zeta: TestTenant) -> None:
    takes(database, TASK, 1)
    backlog(acme, 10)
    dispatch_all(in_flight_spare=2, in_flight_seconds=0.1)
    backlog(zeta, 2)

    assert dispatch_all(in_flight_spare=2, in_flight_seconds=0.1, can_overtake=False) == []


def test_not_everybody_at_once(database: Database, acme: TestTenant, new_tenant: Callable[[str], TestTenant]) -> None:
    takes(database, TASK, 1)
    backlog(acme, 10)
    dispatch_all(in_flight_spare=2, in_flight_seconds=0.1)
    for number in range(5):
        backlog(new_tenant(f"other-{number}"), 1)

    # Twice the spare ones, messages of all.
    assert len(dispatch_all(in_flight_spare=2, in_flight_seconds=0.1)) == 2
    assert dispatch_all(in_flight_spare=2, in_flight_seconds=0.1) == []


@pytest.mark.parametrize("arrivals", [None, []])
def test_what_is_sent_again_does_not(arrivals: list[str] | None, acme: TestTenant) -> None:
    backlog(acme, 1)
    dispatch_all()

    assert overtaking(dispatch_all(arrivals=arrivals, resend_after=-1)) == [("acme", False)]


def test_shares_stay_what_they_are(acme: TestTenant, zeta: TestTenant) -> None:
    backlog(acme, 20)
    dispatch_all(batch_limit=4)
    backlog(zeta, 20)

    assert shares(dispatch_all(batch_limit=10)) == {"acme": 5, "zeta": 5}
