"""Maintenance: old jobs go, one job per tenant and moment, and what cannot be started is refused."""

from collections.abc import Callable

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from structlog.testing import capture_logs

from db import attempts, steering
from db.errors import PartywallError
from db.jobs import JobRow
from db.roles import Role
from db.session import platform_connection, tenant_session
from db.tenants import suspend_tenant
from tasks import Job, orders, reports
from tasks.errors import PayloadInvalidError, UnknownTaskError
from tasks.maintenance import PRUNED_PER_TRANSACTION, FanOutRefusedError, PruneJobs, fan_out, prune_jobs
from tests.databases import Database, TestTenant
from tests.db.work import body_of, claim_one, enqueue_one, job_of
from tests.tasks.inline import run_job, run_ready

MOMENT = "2026-01-31T03:00:00+00:00"
PRUNE = "maintenance.prune_jobs"


def finished(database: Database, tenant: TestTenant, *, days_ago: int, jobs: int = 1, state: str = "succeeded") -> None:
    """Put jobs there that ended so long ago."""
    database.do(
        """
        insert into partywall.jobs (tenant_id, task_name, queue, state, max_attempts, run_at, payload, finished_at)
        select :tenant, 'notes.write', 'default', :state, 1, now(), '{}', now() - make_interval(days => :days_ago)
        from generate_series(1, :jobs)
        """,
        tenant=tenant.id,
        state=state,
        days_ago=days_ago,
        jobs=jobs,
    )


def notes_left(database: Database, tenant: TestTenant) -> int:
    ((left,),) = database.ask(
        "select count(*) from partywall.jobs where tenant_id = :tenant and task_name = 'notes.write'",
        tenant=tenant.id,
    )
    assert isinstance(left, int)
    return left


def pruned(job: JobRow) -> int:
    assert job.error is None
    assert job.result is not None
    return int(job.result["pruned"])


def test_jobs_past_the_retention_are_deleted_and_no_others(acme: TestTenant, database: Database) -> None:
    finished(database, acme, days_ago=31)
    finished(database, acme, days_ago=400, state="failed")
    finished(database, acme, days_ago=29, jobs=3)

    job = run_job(acme, prune_jobs)

    assert pruned(job) == 2
    assert notes_left(database, acme) == 3


def test_how_long_jobs_are_kept_is_the_tenants_own(acme: TestTenant, database: Database) -> None:
    database.do("update partywall.tenants set job_retention_days = 7 where id = :acme", acme=acme.id)
    finished(database, acme, days_ago=8)

    assert pruned(run_job(acme, prune_jobs)) == 1


def test_another_tenants_old_jobs_stay(acme: TestTenant, zeta: TestTenant, database: Database) -> None:
    finished(database, acme, days_ago=31)
    finished(database, zeta, days_ago=31)

    run_job(acme, prune_jobs)

    assert notes_left(database, zeta) == 1


@pytest.mark.parametrize("surplus", [1, 7, 100])
def test_one_call_deletes_as_many_jobs_as_its_limit_and_no_more(
    acme: TestTenant, database: Database, surplus: int
) -> None:
    finished(database, acme, days_ago=31, jobs=50 + surplus)

    with tenant_session(acme.context, role=Role.WORKER) as session:
        deleted = steering.prune_jobs(session, limit=50)

    assert (deleted, notes_left(database, acme)) == (50, surplus)


@pytest.mark.parametrize("surplus", [-1, 0, 1])
def test_more_jobs_than_one_transaction_deletes_are_deleted_all(
    acme: TestTenant, database: Database, surplus: int
) -> None:
    old = 2 * PRUNED_PER_TRANSACTION + surplus
    finished(database, acme, days_ago=31, jobs=old)

    job = run_job(acme, prune_jobs)

    assert pruned(job) == old
    assert notes_left(database, acme) == 0
    assert job.progress_note == "jobs deleted"


class KilledAfterTheFirstTransaction(Job):
    """A job whose time is up when it first shows progress."""

    def progress(self, current: int, total: int | None = None, note: str | None = None) -> None:
        """Raise as Celery does."""
        raise SoftTimeLimitExceeded


def test_a_retry_keeps_what_a_killed_attempt_deleted_and_goes_on_counting(acme: TestTenant, database: Database) -> None:
    finished(database, acme, days_ago=31, jobs=PRUNED_PER_TRANSACTION + 7)
    job_id = enqueue_one(acme, task_name=PRUNE)
    attempt = claim_one(acme)
    with body_of(attempt) as connection:
        with pytest.raises(SoftTimeLimitExceeded):
            prune_jobs(KilledAfterTheFirstTransaction.of(attempt, connection), PruneJobs())
        connection.rollback()
        attempts.fail(connection, error={"type": "SoftTimeLimitExceeded"}, retry_after_seconds=0)
    left_by_the_first = notes_left(database, acme)

    run_ready()

    job = job_of(acme, job_id)
    assert left_by_the_first == 7
    assert (job.attempt, pruned(job)) == (2, PRUNED_PER_TRANSACTION + 7)
    assert notes_left(database, acme) == 0


def test_a_fan_out_starts_the_task_once_for_every_active_tenant(
    acme: TestTenant, zeta: TestTenant, new_tenant: Callable[[str], TestTenant], database: Database
) -> None:
    new_tenant("sleeping")
    with platform_connection(Role.OPERATOR) as connection:
        suspend_tenant(connection, "sleeping")
    finished(database, acme, days_ago=31)
    finished(database, zeta, days_ago=31)

    fan_out(schedule="nightly", task_name=PRUNE, moment=MOMENT)
    run_ready()

    assert started(database) == [("acme", "succeeded"), ("zeta", "succeeded")]
    assert (notes_left(database, acme), notes_left(database, zeta)) == (0, 0)


def test_a_moment_is_fanned_out_once_however_it_is_spelled(acme: TestTenant, database: Database) -> None:
    with capture_logs() as logs:
        for moment in (MOMENT, MOMENT, "2026-01-31T04:00:00+01:00", "2026-02-01T03:00:00Z"):
            fan_out(schedule="nightly", task_name=PRUNE, moment=moment)
        fan_out(schedule="weekly", task_name=PRUNE, moment=MOMENT)

    assert [line["jobs"] for line in logs if line["event"] == "schedule_fanned_out"] == [1, 0, 0, 1, 1]
    assert started(database) == [("acme", "queued")] * 3


def test_a_fan_out_uses_the_tasks_own_queue_and_attempts(acme: TestTenant, database: Database) -> None:
    fan_out(schedule="monthly", task_name="reports.monthly_statement", moment=MOMENT)

    declared = reports.monthly_statement.declaration
    assert database.ask("select queue, max_attempts, payload from partywall.jobs") == [
        (declared.queue, declared.max_attempts, {})
    ]


@pytest.mark.parametrize(
    ("task_name", "moment", "refusal"),
    [
        ("maintenance.fan_out", MOMENT, FanOutRefusedError),
        ("maintenance.no_such", MOMENT, UnknownTaskError),
        (orders.import_csv.name, MOMENT, PayloadInvalidError),
        (PRUNE, "2026-01-31T03:00:00", FanOutRefusedError),
        (PRUNE, "three in the morning", FanOutRefusedError),
    ],
    ids=["a tenantless task", "an unknown task", "a task that needs a payload", "no offset", "no moment"],
)
def test_a_fan_out_that_cannot_be_meant_is_refused(
    acme: TestTenant, database: Database, task_name: str, moment: str, refusal: type[PartywallError]
) -> None:
    with pytest.raises(refusal) as refused:
        fan_out(schedule="nightly", task_name=task_name, moment=moment)

    assert refused.value.hint
    assert started(database) == []


def started(database: Database) -> list[tuple[object, ...]]:
    """Return (slug, state) of what fan-outs enqueued."""
    return database.ask("""
        select tenants.slug, jobs.state
        from partywall.jobs
        join partywall.tenants on tenants.id = jobs.tenant_id
        where jobs.idempotency_key like 'schedule/%'
        order by tenants.slug
    """)
