"""Which tenants use how much, and what keeps their jobs from starting."""

from collections.abc import Callable

import pytest

from db.roles import Role
from db.session import platform_connection
from db.waiting import Reason, TenantLoad, tenants_top
from tests.databases import Database, TestTenant
from tests.db.work import dispatch_all, enqueue_one, finish_all


def top() -> list[TenantLoad]:
    with platform_connection(Role.OPERATOR) as connection:
        return list(tenants_top(connection, limit=10))


@pytest.mark.usefixtures("running_system")
def test_who_uses_how_much(
    database: Database, acme: TestTenant, zeta: TestTenant, new_tenant: Callable[[str], TestTenant]
) -> None:
    new_tenant("idle")
    for tenant in (acme, acme, acme, zeta):
        enqueue_one(tenant)
    finish_all(dispatch_all(batch_limit=2))
    for tenant, seconds in ((acme, 3), (zeta, 1)):
        database.do(
            "update partywall.attempts set started_at = ended_at - :s * interval '1 second' where tenant_id = :t",
            s=seconds,
            t=tenant.id,
        )
    dispatch_all(batch_limit=1)
    database.do("insert into partywall.tenant_limits (tenant_id, max_running) values (:t, 1)", t=acme.id)

    busy, other = top()
    assert (busy.slug, round(busy.share, 2), busy.dispatched, busy.running, busy.queued) == ("acme", 0.75, 1, 0, 1)
    assert (busy.waits_for, busy.oldest_wait_seconds is not None) == (Reason.TENANT_MAX_RUNNING, True)
    assert (other.slug, other.queued, other.waits_for, other.oldest_wait_seconds) == ("zeta", 0, None, None)


@pytest.mark.usefixtures("running_system")
def test_a_drained_tenant_waits_for_what_keeps_its_jobs_from_starting(database: Database, acme: TestTenant) -> None:
    for _ in range(4):
        enqueue_one(acme)
    dispatch_all(batch_limit=1)
    database.do("insert into partywall.tenant_limits (tenant_id, flow) values (:t, 'draining')", t=acme.id)
    assert top()[0].waits_for is None

    database.do("update partywall.tenant_limits set max_running = 1")
    assert top()[0].waits_for == Reason.TENANT_MAX_RUNNING

    database.do("update partywall.tenant_limits set max_running = null, rate = 0.01, burst = 1")
    dispatch_all()
    assert top()[0].waits_for == Reason.RATE

    database.do("update partywall.tenant_limits set flow = 'paused'")
    assert top()[0].waits_for == Reason.PAUSED


@pytest.mark.usefixtures("running_system")
def test_a_tenant_that_goes_waits_for_nothing_while_what_ends_it_may_start(
    database: Database, acme: TestTenant
) -> None:
    enqueue_one(acme)
    database.do("update partywall.tenants set status = 'deleting'")
    assert top()[0].waits_for == Reason.DELETING

    database.do("update partywall.jobs set runs_for_deleted = true")
    assert top()[0].waits_for is None
