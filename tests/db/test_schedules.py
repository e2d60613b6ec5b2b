"""Starting one declared task for every active tenant, once per moment."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone

from db.roles import Role
from db.schedules import fan_out
from db.session import platform_connection
from db.tenants import suspend_tenant
from tests.databases import Database, TestTenant
from tests.db.work import dispatch_all

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)


def start(moment: datetime = NOON, *, schedule: str = "nightly") -> int:
    with platform_connection(Role.SCHEDULER) as connection:
        return fan_out(
            connection,
            schedule=schedule,
            moment=moment,
            task_name="maintenance.prune_jobs",
            queue="default",
            max_attempts=3,
        )


def test_every_active_tenant_gets_one_job(database: Database, acme: TestTenant, zeta: TestTenant) -> None:
    assert start() == 2

    assert database.ask("select tenant_id, task_name, state, payload from partywall.jobs order by tenant_id") == [
        (tenant, "maintenance.prune_jobs", "queued", {}) for tenant in sorted((acme.id, zeta.id))
    ]
    assert {message.tenant_slug for message in dispatch_all()} == {"acme", "zeta"}


def test_the_same_moment_starts_nothing_twice_however_it_is_spelled(acme: TestTenant) -> None:
    assert [start(), start(), start(NOON.astimezone(timezone(timedelta(hours=9))))] == [1, 0, 0]


def test_another_moment_or_schedule_is_another_start(acme: TestTenant) -> None:
    assert [start(), start(NOON + timedelta(microseconds=1)), start(schedule="hourly")] == [1, 1, 1]


def test_a_suspended_tenant_is_left_out(acme: TestTenant, zeta: TestTenant) -> None:
    with platform_connection(Role.OPERATOR) as connection:
        suspend_tenant(connection, acme.slug)

    assert start() == 1


def test_a_tenant_that_comes_later_gets_its_job_when_asked_again(acme: TestTenant, database: Database) -> None:
    start()
    database.do("insert into partywall.tenants (slug, name) values ('late', 'Late')")

    assert [start(), start()] == [1, 0]


def test_four_beats_at_once_start_it_once(database: Database, acme: TestTenant, zeta: TestTenant) -> None:
    database.do("""
        insert into partywall.tenants (slug, name)
        select 'tenant-' || number, 'Tenant' from generate_series(1, 200) as number
    """)
    for day in range(5):
        with ThreadPoolExecutor(4) as pool:
            accepted = list(pool.map(start, [NOON + timedelta(days=day)] * 4))
        assert sum(accepted) == 202

    assert database.ask("select count(*), count(distinct (tenant_id, idempotency_key)) from partywall.jobs") == [
        (5 * 202, 5 * 202)
    ]
