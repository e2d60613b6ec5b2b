"""Limits of a tenant: what they do to the next dispatch, and that each change says who made it and when."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from sqlalchemy import Connection

from db import limits
from db.errors import LimitInvalidError, NoTenantError, TenantDeletingError, TenantUnknownError
from db.limits import Limits, RunningLimit, own_limits, set_limits, set_running_limit
from db.roles import Role
from db.session import platform_connection, tenant_session
from tests.databases import Database, TestTenant, make_tenant
from tests.db.limiting import dispatched, enqueue_some, limit, limit_running, limits_of, listening
from tests.db.work import claim_of, dispatch_all, enqueue_one, expire, finish_all, job_of

UNLIMITED = Limits(weight=1, max_running=None, rate=None, burst=None, max_queued=None)


def test_no_more_than_allowed_are_in_flight_and_an_ended_one_makes_room(acme: TestTenant, zeta: TestTenant) -> None:
    limit(acme, max_running=3)
    enqueue_some(acme, 5)
    enqueue_some(zeta, 5)

    first = dispatch_all()
    assert sorted(message.tenant_slug for message in first) == ["acme"] * 3 + ["zeta"] * 5
    assert dispatched() == {}
    finish_all([message for message in first if message.tenant_slug == "acme"][:2])
    assert dispatched() == {"acme": 2}


def test_a_running_attempt_that_lost_its_lease_frees_its_place(database: Database, acme: TestTenant) -> None:
    limit(acme, max_running=1)
    lost, other = enqueue_one(acme), enqueue_one(acme)
    (message,) = dispatch_all()
    claim_of(message)
    assert dispatch_all() == []

    database.do("update partywall.jobs set lease_expires_at = now() - interval '1 second' where state = 'running'")
    expire()

    assert job_of(acme, lost).state == "scheduled"
    assert [message.job_id for message in dispatch_all()] == [other]


def test_a_task_and_a_queue_have_limits_of_their_own(acme: TestTenant) -> None:
    limit_running(acme, "task", "notes.read", 2)
    limit_running(acme, "queue", "slow", 1)
    enqueue_some(acme, 4, task_name="notes.read")
    enqueue_some(acme, 4, task_name="notes.write")
    enqueue_some(acme, 4, task_name="notes.write", queue="slow")

    sent = [message.task_name for message in dispatch_all()]
    assert (sent.count("notes.read"), sent.count("notes.write")) == (2, 4)
    assert dispatched("slow") == {"acme": 1}
    assert dispatched() == dispatched("slow") == {}


def test_a_task_that_stands_on_two_queues_has_one_limit(acme: TestTenant) -> None:
    limit_running(acme, "task", "notes.read", 2)
    enqueue_some(acme, 3, task_name="notes.read")
    enqueue_some(acme, 3, task_name="notes.read", queue="slow")

    assert dispatched("default", "slow") == {"acme": 2}


def test_what_is_limited_holds_up_nothing_else_of_the_tenant(acme: TestTenant) -> None:
    limit_running(acme, "task", "notes.read", 1)
    enqueue_some(acme, 3, task_name="notes.read")
    assert dispatched() == {"acme": 1}
    free = enqueue_one(acme)

    assert [message.job_id for message in dispatch_all(batch_limit=1)] == [free]


def test_a_smaller_limit_takes_back_what_nobody_has_begun(acme: TestTenant) -> None:
    enqueue_some(acme, 5)
    first = dispatch_all()
    claim_of(first[0])

    limit(acme, max_running=2)

    assert [len(claim_of(message)) for message in first[1:]] == [0] * 4
    assert dispatched() == {"acme": 1}


def test_a_bigger_limit_acts_on_the_backlog_at_the_next_dispatch(database: Database, acme: TestTenant) -> None:
    limit(acme, max_running=1)
    enqueue_some(acme, 4)
    (running,) = dispatch_all()
    claim_of(running)
    with listening(database) as heard:
        limit(acme, max_running=3)

        assert len(dispatch_all(arrivals=heard())) == 2


def test_weights_are_shares(acme: TestTenant, zeta: TestTenant, new_tenant: Callable[[str], TestTenant]) -> None:
    bell = new_tenant("bell")
    limit(zeta, weight=2)
    limit(bell, weight=4)
    for tenant in (acme, zeta, bell):
        enqueue_some(tenant, 60)

    served = sum((dispatched(batch_limit=7) for _ in range(10)), start=dispatched(batch_limit=0))

    assert served.total() == 70
    assert abs(served["acme"] - 10) <= 1
    assert abs(served["zeta"] - 20) <= 1
    assert abs(served["bell"] - 40) <= 1


def test_a_changed_weight_is_the_share_from_the_next_dispatch_on(acme: TestTenant, zeta: TestTenant) -> None:
    for tenant in (acme, zeta):
        enqueue_some(tenant, 40)
    assert dispatched(batch_limit=10) == {"acme": 5, "zeta": 5}

    limit(zeta, weight=4)

    after = sum((dispatched(batch_limit=10) for _ in range(4)), start=dispatched(batch_limit=0))
    # What had been dispatched of zeta was taken back and is among these.
    assert abs(after["zeta"] - 33) <= 2


def test_limits_are_shown_with_who_and_when(acme: TestTenant) -> None:
    before = datetime.now(UTC) - timedelta(seconds=5)
    shown = limits_of(acme)
    assert (shown.tenant_id, shown.tier, shown.flow) == (acme.id, "standard", "open")
    assert (shown.effective, shown.own.weight, shown.running_limits, shown.changes) == (UNLIMITED, None, (), {})

    with platform_connection(Role.OPERATOR) as connection:
        set_limits(connection, "acme", {"max_running": 4, "rate": 0.5}, changed_by="operator/mary")
        set_running_limit(connection, "acme", "task", "notes.read", 2, changed_by="operator/joe")
        set_limits(connection, "acme", {"rate": 1.5})

    shown = limits_of(acme)
    assert shown.effective == Limits(weight=1, max_running=4, rate=1.5, burst=2, max_queued=None)
    assert shown.own == Limits(weight=None, max_running=4, rate=1.5, burst=None, max_queued=None)
    assert shown.running_limits == (RunningLimit("task", "notes.read", 2),)
    assert {name: change.changed_by for name, change in shown.changes.items()} == {
        "max_running": "operator/mary",
        "rate": "operator/partywall_operator",
        "task:notes.read": "operator/joe",
    }
    assert before < shown.changes["max_running"].changed_at < shown.changes["rate"].changed_at


def test_a_change_that_takes_a_limit_away_says_who_too(acme: TestTenant) -> None:
    limit_running(acme, "queue", "slow", 1)
    limit(acme, max_running=1, weight=3)

    with platform_connection(Role.OPERATOR) as connection:
        set_running_limit(connection, "acme", "queue", "slow", None, changed_by="operator/mary")
        set_limits(connection, "acme", {"max_running": None}, changed_by="operator/joe")

    shown = limits_of(acme)
    assert (shown.running_limits, shown.own.max_running, shown.own.weight) == ((), None, 3)
    assert shown.changes["queue:slow"].changed_by == "operator/mary"
    assert shown.changes["max_running"].changed_by == "operator/joe"


@pytest.mark.parametrize(
    "changes",
    [
        {"weight": 0},
        {"weight": 1001},
        {"weight": "NaN"},
        {"max_running": 0},
        {"max_running": 1.5},
        {"max_running": 2**31},
        {"max_running": True},
        {"rate": 0},
        {"rate": "NaN"},
        {"rate": "Infinity"},
        {"rate": -1},
        {"rate": 2_000_000},
        {"burst": 0},
        {"max_queued": 0},
        {"max_jobs": 1},
    ],
)
def test_what_is_no_limit_changes_nothing(changes: dict[str, float], acme: TestTenant) -> None:
    limit(acme, max_running=7)
    with platform_connection(Role.OPERATOR) as connection, pytest.raises(LimitInvalidError) as refusal:
        set_limits(connection, "acme", changes)

    assert refusal.value.hint
    assert limits_of(acme).own == Limits(weight=None, max_running=7, rate=None, burst=None, max_queued=None)


@pytest.mark.parametrize(
    ("kind", "name", "most"), [("task", "t", 0), ("task", "t", 2**31), ("task", "", 1), ("x", "t", 1)]
)
def test_what_is_no_limit_of_a_task_or_queue_changes_nothing(
    kind: limits.LimitKind, name: str, most: int, acme: TestTenant
) -> None:
    with platform_connection(Role.OPERATOR) as connection, pytest.raises(LimitInvalidError):
        set_running_limit(connection, "acme", kind, name, most)

    assert limits_of(acme).running_limits == ()


CHANGES: list[Callable[[Connection, str], object]] = [
    lambda connection, slug: set_limits(connection, slug, {"weight": 2}),
    lambda connection, slug: set_running_limit(connection, slug, "task", "t", 1),
    lambda connection, slug: limits.pause_tenant(connection, slug, reason=None),
    lambda connection, slug: limits.drain_tenant(connection, slug, reason=None),
]


@pytest.mark.parametrize("change", CHANGES)
def test_an_unknown_slug_and_a_tenant_being_deleted_are_told(
    change: Callable[[Connection, str], object], database: Database, acme: TestTenant
) -> None:
    with platform_connection(Role.OPERATOR) as connection:
        with pytest.raises(TenantUnknownError):
            change(connection, "nobody")
        database.do("update partywall.tenants set status = 'deleting'")
        with pytest.raises(TenantDeletingError):
            change(connection, "acme")


def test_limits_of_nobody_are_told(database: Database) -> None:
    with platform_connection(Role.OPERATOR) as connection, pytest.raises(TenantUnknownError):
        limits.tenant_limits(connection, "nobody")


def test_a_tenant_sees_its_own_limits_and_nobody_elses(acme: TestTenant, zeta: TestTenant) -> None:
    limit(acme, max_running=3)
    limit_running(acme, "task", "notes.read", 2)

    for tenant, most, singles in ((acme, 3, 1), (zeta, None, 0)):
        with tenant_session(tenant.context, role=Role.API) as session:
            shown = own_limits(session)
        assert (shown.effective.max_running, len(shown.running_limits)) == (most, singles)


def test_without_a_tenant_no_limits_are_seen(acme: TestTenant) -> None:
    with platform_connection(Role.API) as connection, pytest.raises(NoTenantError):
        own_limits(connection)


TABLES = ("partywall.tenant_limits", "partywall.running_limits")
SERVICES = [role for role in Role if role is not Role.MIGRATOR]


@pytest.mark.parametrize("role", SERVICES)
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("statement", ["select * from {}", "delete from {}", "update {} set max_running = 9"])
def test_nobody_reads_or_writes_limits_but_through_functions(
    statement: str, table: str, role: Role, database: Database, acme: TestTenant
) -> None:
    limit(acme, max_running=1)
    with psycopg.connect(database.url(role)) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement.format(table))


@pytest.mark.parametrize("role", [Role.WORKER, Role.API, Role.DISPATCHER, Role.SCHEDULER])
@pytest.mark.parametrize(
    "call",
    [
        "set_limits('zeta', '{}', null)",
        "set_running_limit('zeta', 'task', 't', 1, null)",
        "set_flow('zeta', 'paused', null, null)",
        "set_tier('standard', '{}', null)",
        "set_tenant_tier('zeta', 'standard', null)",
        "tenant_limits('zeta')",
    ],
)
def test_only_the_operator_may_limit(call: str, role: Role, database: Database) -> None:
    with psycopg.connect(database.url(role)) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(f"select partywall.{call}")


@pytest.mark.parametrize("table", TABLES)
def test_who_is_given_a_right_to_read_limits_sees_its_own_tenants(table: str, own_database: Database) -> None:
    """The wall stands behind the missing right."""
    acme, zeta = make_tenant("acme"), make_tenant("zeta")
    for tenant in (acme, zeta):
        limit(tenant, max_running=3)
        limit_running(tenant, "task", "notes.read", 1)
    own_database.do(f"grant select on {table} to partywall_api")

    with tenant_session(acme.context, role=Role.API) as session:
        assert session.connection().exec_driver_sql(f"select tenant_id from {table}").all() == [(acme.id,)]
