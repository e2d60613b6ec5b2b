"""One job's way through a worker when its body is `async def`: what holds for others holds for it."""

import pytest

from db import jobs
from db.roles import Role
from db.session import tenant_session
from tests.databases import TestTenant
from tests.db.notes import rows_of
from tests.site import Site
from tests.waiting import wait_until
from tests.workers.conftest import POOLS

pytestmark = pytest.mark.parametrize("pool", POOLS, scope="module", indirect=True)


def tasks_of(tenant: TestTenant) -> list[str]:
    with tenant_session(tenant.context, role=Role.API) as session:
        return [job.task_name for job in jobs.list_jobs(session, limit=100)]


def test_a_job_runs_in_its_tenant_and_keeps_its_result(site: Site, tenant_a: TestTenant) -> None:
    job = site.run(tenant_a, "async_probe.look")

    assert (job.state, job.attempt) == ("succeeded", 1), job.error
    assert job.result is not None
    assert job.result["tenant_id"] == str(tenant_a.id)
    assert job.lease_expires_at is None


def test_a_body_that_touches_no_table_succeeds_too(site: Site, tenant_a: TestTenant) -> None:
    job = site.run(tenant_a, "async_probe.idles")

    assert (job.state, job.result) == ("succeeded", None)


def test_a_failed_attempt_keeps_nothing_and_a_later_one_succeeds(site: Site, tenant_b: TestTenant) -> None:
    before = tasks_of(tenant_b).count("async_probe.look")
    job = site.run(tenant_b, "async_probe.fails_then_succeeds", {"value": 3})

    assert (job.state, job.attempt, job.result) == ("succeeded", 3, {"value": 3})
    assert tasks_of(tenant_b).count("async_probe.look") == before + 1


def test_a_job_that_fails_for_good_says_why_to_its_tenant_alone(site: Site, tenant_a: TestTenant) -> None:
    job = site.run(tenant_a, "async_probe.raises")

    assert job.state == "failed"
    assert job.error is not None
    assert (job.error["type"], job.error["message"]) == ("RefusedError", "the secret of this tenant")
    assert "in raises" in job.error["traceback"]
    assert "the secret of this tenant" not in site.worker.output()


def test_a_retry_goes_on_from_the_checkpoint(site: Site, tenant_b: TestTenant) -> None:
    job = site.run(tenant_b, "async_probe.checkpoints")

    assert job.result == {"state": {"done": 1}, "attempt": 2}
    assert rows_of(tenant_b) == ["attempt 1", "attempt 2"]


def test_progress_shows_while_the_body_runs(site: Site, tenant_a: TestTenant) -> None:
    job_id = site.enqueue(tenant_a, "async_probe.reports")

    def progress() -> tuple[int | None, int | None, str | None] | None:
        with tenant_session(tenant_a.context, role=Role.API) as session:
            job = jobs.get_job(session, job_id)
            seen = (job.progress_current, job.progress_total, job.progress_note)
            return seen if job.state == "running" and job.progress_note else None

    seen = wait_until(progress, timeout_seconds=15)
    site.enqueue_later(tenant_a, "probe.seen")

    assert seen == (1, 2, "halfway")
    assert site.wait(tenant_a, job_id).state == "succeeded"


@pytest.mark.parametrize("task_name", ["async_probe.exits", "async_probe.exits_in_a_task"])
def test_a_body_that_exits_has_failed_and_its_worker_goes_on(site: Site, tenant_a: TestTenant, task_name: str) -> None:
    job = site.run(tenant_a, task_name)

    assert job.error is not None
    assert (job.state, job.error["type"]) == ("failed", "SystemExit")
    assert site.run(tenant_a, "async_probe.idles").state == "succeeded"


@pytest.mark.parametrize(
    ("task_name", "where"),
    [
        ("async_probe.sleeps", "in sleeps"),
        ("async_probe.sleeps_in_sql", "in sleeps_in_sql"),
        ("async_probe.sleeps_together", "in sleeps_together"),
        ("async_probe.swallows", "in swallows"),
    ],
)
def test_a_body_over_its_time_fails_with_the_limit_and_says_where(
    site: Site, tenant_a: TestTenant, task_name: str, where: str
) -> None:
    job = site.run(tenant_a, task_name)

    assert job.error is not None
    assert (job.state, job.error["type"]) == ("failed", "SoftTimeLimitExceeded")
    assert where in job.error["traceback"]


def test_a_body_that_something_else_cancelled_has_failed(site: Site, tenant_a: TestTenant) -> None:
    job = site.run(tenant_a, "async_probe.cancels_itself")

    assert job.error is not None
    assert (job.state, job.error["type"]) == ("failed", "BodyCancelledError")


def test_the_asyncio_tasks_of_a_body_are_in_its_transaction(site: Site, tenant_a: TestTenant) -> None:
    job = site.run(tenant_a, "async_probe.gathers", {"value": 30})

    assert job.result == [str(tenant_a.id)]


def test_a_zombie_keeps_nothing(site: Site, tenant_b: TestTenant) -> None:
    before = rows_of(tenant_b)
    job_id = site.enqueue(tenant_b, "async_probe.outlives_its_lease")
    wait_until(
        lambda: site.database.ask("select 1 from partywall.jobs where id = :id and state = 'running'", id=job_id),
        timeout_seconds=20,
    )
    site.database.do("update partywall.jobs set attempt = attempt + 1 where id = :id", id=job_id)
    wait_until(lambda: "attempt_superseded" in site.worker.output(), timeout_seconds=20)

    assert rows_of(tenant_b) == before
    assert site.database.ask("select state from partywall.jobs where id = :id", id=job_id) == [("running",)]
