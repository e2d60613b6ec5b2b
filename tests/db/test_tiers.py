"""Tiers: defaults of limits that a tenant has unless something is set for it alone."""

from datetime import UTC, datetime, timedelta

import pytest

from db import tiers
from db.errors import LimitInvalidError, TenantDeletingError, TenantUnknownError
from db.limits import Limits
from db.roles import Role
from db.session import platform_connection
from db.tenants import create_tenant
from tests.databases import Database, TestTenant
from tests.db.limiting import dispatched, enqueue_some, limit, limits_of
from tests.db.work import claim_of, dispatch_all


def make_tier(name: str, **changes: float | None) -> None:
    with platform_connection(Role.OPERATOR) as connection:
        tiers.set_tier(connection, name, changes, changed_by="operator/mary")


def give(tenant: TestTenant, tier: str) -> None:
    with platform_connection(Role.OPERATOR) as connection:
        tiers.set_tenant_tier(connection, tenant.slug, tier, changed_by="operator/joe")


def test_everybody_is_standard_which_limits_nothing_at_first(database: Database, acme: TestTenant) -> None:
    with platform_connection(Role.OPERATOR) as connection:
        (standard,) = tiers.list_tiers(connection)

    assert (standard.name, standard.limits) == ("standard", Limits(1, None, None, None, None))
    assert limits_of(acme).tier == "standard"


def test_a_tier_holds_for_its_tenants_unless_one_has_a_limit_of_its_own(acme: TestTenant, zeta: TestTenant) -> None:
    make_tier("free", max_running=2, max_queued=100, weight=0.5)
    for tenant in (acme, zeta):
        give(tenant, "free")
    limit(zeta, max_running=4)
    for tenant in (acme, zeta):
        enqueue_some(tenant, 6)

    assert dispatched() == {"acme": 2, "zeta": 4}
    assert limits_of(acme).effective == Limits(0.5, 2, None, None, 100)
    assert limits_of(zeta).effective == Limits(0.5, 4, None, None, 100)
    limit(zeta, max_running=None)
    assert limits_of(zeta).effective == limits_of(acme).effective


def test_a_changed_tier_acts_on_what_nobody_has_begun(acme: TestTenant) -> None:
    make_tier("free", max_running=5)
    give(acme, "free")
    enqueue_some(acme, 8)
    first, *others = dispatch_all()
    claim_of(first)

    make_tier("free", max_running=2)

    assert len(others) == 4
    assert [claim_of(message) for message in others] == [[]] * 4
    assert dispatched() == {"acme": 1}


def test_another_tier_acts_on_what_nobody_has_begun(acme: TestTenant) -> None:
    make_tier("free", max_running=1)
    enqueue_some(acme, 3)
    dispatch_all()

    give(acme, "free")

    assert dispatched() == {"acme": 1}


def test_a_change_names_who_and_when_and_leaves_the_rest(database: Database) -> None:
    before = datetime.now(UTC) - timedelta(seconds=5)
    make_tier("pro", weight=4, rate=10, burst=20)
    with platform_connection(Role.OPERATOR) as connection:
        tiers.set_tier(connection, "pro", {"weight": None, "max_running": 50})
        pro = tiers.list_tiers(connection)[0]

    assert pro.limits == Limits(weight=1, max_running=50, rate=10, burst=20, max_queued=None)
    assert pro.changed_by == "operator/partywall_operator"
    assert pro.changed_at > before


def test_who_gave_a_tenant_its_tier_is_told(acme: TestTenant) -> None:
    make_tier("pro")
    give(acme, "pro")

    assert (limits_of(acme).tier, limits_of(acme).changes["tier"].changed_by) == ("pro", "operator/joe")


def test_a_tenant_is_created_with_a_tier(database: Database) -> None:
    make_tier("pro", max_running=9)
    with platform_connection(Role.OPERATOR) as connection:
        create_tenant(connection, slug="new", name="New", tier="pro")
        with pytest.raises(LimitInvalidError, match="gold"):
            create_tenant(connection, slug="other", name="Other", tier="gold")

    assert database.ask("select slug, tier from partywall.tenants") == [("new", "pro")]


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("", {}),
        ("Pro", {}),
        ("a" * 64, {}),
        ("-a", {}),
        ("pro", {"weight": 0}),
        ("pro", {"burst": 3}),
        ("pro", {"rate": "NaN"}),
        ("pro", {"max_running": 2**40}),
        ("pro", {"speed": 1}),
    ],
)
def test_what_is_no_tier_is_not_made(name: str, changes: dict[str, float], database: Database) -> None:
    with platform_connection(Role.OPERATOR) as connection:
        with pytest.raises(LimitInvalidError) as refusal:
            tiers.set_tier(connection, name, changes)

        assert refusal.value.hint
        assert [tier.name for tier in tiers.list_tiers(connection)] == ["standard"]


def test_no_such_tier_or_tenant_is_told(database: Database, acme: TestTenant) -> None:
    with platform_connection(Role.OPERATOR) as connection:
        with pytest.raises(LimitInvalidError, match="tiers list"):
            tiers.set_tenant_tier(connection, "acme", "gold")
        with pytest.raises(TenantUnknownError):
            tiers.set_tenant_tier(connection, "nobody", "standard")
        database.do("update partywall.tenants set status = 'deleting'")
        with pytest.raises(TenantDeletingError):
            tiers.set_tenant_tier(connection, "acme", "standard")
