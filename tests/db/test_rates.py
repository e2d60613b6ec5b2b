"""Rates: a burst, then so many a second. Time passes by setting the bucket back, not by waiting."""

from db import tiers
from db.roles import Role
from db.session import platform_connection
from tests.databases import Database, TestTenant
from tests.db.limiting import ONE_AN_HOUR, dispatched, enqueue_some, let_pass, limit, listening
from tests.db.work import claim_of, dispatch_all, enqueue_one


def test_a_burst_starts_at_once_and_then_as_many_as_time_allows(database: Database, acme: TestTenant) -> None:
    limit(acme, rate=ONE_AN_HOUR, burst=3)
    enqueue_some(acme, 10)

    assert dispatched() == {"acme": 3}
    assert dispatched() == {}
    let_pass(database, hours=0.9)
    assert dispatched() == {}
    let_pass(database, hours=1.2)
    assert dispatched() == {"acme": 2}


def test_no_more_than_a_burst_is_saved_up(database: Database, acme: TestTenant) -> None:
    limit(acme, rate=ONE_AN_HOUR, burst=2)
    enqueue_some(acme, 10)
    assert dispatched() == {"acme": 2}

    let_pass(database, hours=1000)

    assert dispatched() == {"acme": 2}


def test_without_a_burst_a_second_is_served_at_once(acme: TestTenant) -> None:
    limit(acme, rate=3.5)
    enqueue_some(acme, 10)

    assert dispatched() == {"acme": 4}


def test_who_has_used_up_its_rate_holds_up_nobody(acme: TestTenant, zeta: TestTenant) -> None:
    limit(acme, rate=ONE_AN_HOUR, burst=1)
    enqueue_some(acme, 10)
    enqueue_some(zeta, 5)

    assert dispatched(batch_limit=4) == {"acme": 1, "zeta": 3}
    assert dispatched() == {"zeta": 2}


def test_when_its_time_has_come_it_is_served_though_nothing_was_notified(database: Database, acme: TestTenant) -> None:
    limit(acme, rate=ONE_AN_HOUR, burst=1)
    enqueue_some(acme, 3)
    assert dispatched() == {"acme": 1}
    assert dispatch_all(arrivals=[]) == []

    let_pass(database, hours=1)

    assert len(dispatch_all(arrivals=[])) == 1


def test_who_waits_for_its_rate_is_left_alone_until_then(database: Database, acme: TestTenant) -> None:
    limit(acme, rate=ONE_AN_HOUR, burst=1)
    enqueue_some(acme, 2)
    assert dispatched() == {"acme": 1}
    look = "select waiting, not_before, ctid::text from partywall_private.turns"
    before = database.ask(look)

    with listening(database) as heard:
        enqueue_one(acme)
        assert dispatch_all(arrivals=heard()) == []
    assert dispatched() == {}

    assert database.ask(look) == before
    assert database.ask("select not_before > now() from partywall_private.turns") == [(True,)]


def test_a_faster_rate_and_none_act_at_the_next_dispatch(database: Database, acme: TestTenant) -> None:
    limit(acme, rate=ONE_AN_HOUR, burst=1)
    enqueue_some(acme, 10)
    (first,) = dispatch_all()
    claim_of(first)

    with listening(database) as heard:
        limit(acme, rate=None, burst=None)

        assert len(dispatch_all(arrivals=heard())) == 9


def test_a_tier_that_is_faster_acts_at_the_next_dispatch(database: Database, acme: TestTenant) -> None:
    with platform_connection(Role.OPERATOR) as connection:
        tiers.set_tier(connection, "standard", {"rate": ONE_AN_HOUR, "burst": 1})
    try:
        enqueue_some(acme, 10)
        (first,) = dispatch_all()
        claim_of(first)
    finally:
        with platform_connection(Role.OPERATOR) as connection:
            tiers.set_tier(connection, "standard", {"rate": None, "burst": None})

    assert len(dispatch_all()) == 9


def test_a_first_job_after_a_rest_is_charged_too(database: Database, acme: TestTenant) -> None:
    limit(acme, rate=ONE_AN_HOUR, burst=1)
    enqueue_one(acme)
    assert dispatched() == {"acme": 1}

    enqueue_one(acme)

    assert dispatched() == {}
    let_pass(database, hours=1)
    assert dispatched() == {"acme": 1}
