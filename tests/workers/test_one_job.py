"""One job's way through dispatcher, broker and worker."""

import pytest

from db import accepting, jobs
from db.roles import Role
from db.session import tenant_session
from tests.databases import TestTenant
from tests.site import Site
from tests.waiting import wait_until
from tests.workers.conftest import POOLS

pytestmark = [pytest.mark.delivery, pytest.mark.parametrize("pool", POOLS, scope="module", indirect=True)]


def tasks_of(tenant: TestTenant) -> list[str]:
    with tenant_session(tenant.context, role=Role.API) as session:
        return [job.task_name for job in jobs.list_jobs(session, limit=100)]


def test_a_job_runs_in_its_tenant_and_keeps_its_result(site: Site, tenant_a: TestTenant) -> None:
    job = site.run(tenant_a, "probe.look")

    assert job.state == "succeeded"
    assert job.attempt == 1
    assert job.result is not None
    assert job.result["tenant_id"] == str(tenant_a.id)
    assert job.started_at is not None
    assert job.finished_at is not None
    assert job.lease_expires_at is None


def test_a_body_that_touches_no_table_succeeds_too(site: Site, tenant_a: TestTenant) -> None:
    job = site.run(tenant_a, "probe.idles")

    assert (job.state, job.result) == ("succeeded", None)


def test_a_failed_attempt_keeps_nothing_and_a_later_one_succeeds(site: Site, tenant_b: TestTenant) -> None:
    before = tasks_of(tenant_b).count("probe.look")
    job = site.run(tenant_b, "probe.fails_then_succeeds", {"value": 3})

    assert (job.state, job.attempt, job.result) == ("succeeded", 3, {"value": 3})
    assert tasks_of(tenant_b).count("probe.look") == before + 1


def test_a_job_that_fails_for_good_says_why_to_its_tenant_alone(site: Site, tenant_a: TestTenant) -> None:
    job = site.run(tenant_a, "probe.raises")

    assert job.state == "failed"
    assert job.error is not None
    assert job.error["type"] == "RefusedError"
    assert job.error["message"] == "the secret of this tenant"
    assert "in raises" in job.error["traceback"]
    assert "the secret of this tenant" not in site.worker.output()


def test_a_retry_goes_on_from_the_checkpoint(site: Site, tenant_b: TestTenant) -> None:
    before = tasks_of(tenant_b).count("probe.look")
    job = site.run(tenant_b, "probe.checkpoints")

    assert job.result == {"state": {"done": 1}, "attempt": 2}
    assert tasks_of(tenant_b).count("probe.look") == before + 1


def test_progress_shows_while_the_body_runs(site: Site, tenant_a: TestTenant) -> None:
    job_id = site.enqueue(tenant_a, "probe.reports")

    def progress() -> tuple[int | None, int | None, str | None] | None:
        with tenant_session(tenant_a.context, role=Role.API) as session:
            job = jobs.get_job(session, job_id)
            seen = (job.progress_current, job.progress_total, job.progress_note)
            return seen if job.state == "running" and job.progress_note else None

    seen = wait_until(progress, timeout_seconds=15)
    site.enqueue_later(tenant_a, "probe.seen")

    assert seen == (1, 2, "halfway")
    assert site.wait(tenant_a, job_id).state == "succeeded"


def test_a_payload_that_no_longer_fits_fails_without_a_retry(site: Site, tenant_a: TestTenant) -> None:
    with tenant_session(tenant_a.context, role=Role.API) as session:
        job_id = accepting.accept(
            session, task_name="probe.fails_then_succeeds", payload={"value": "x"}, queue="default", max_attempts=3
        ).job_id
    job = site.wait(tenant_a, job_id)

    assert (job.state, job.attempt) == ("failed", 1)
    assert job.error is not None
    assert job.error["type"] == "PayloadInvalidError"


def test_a_body_that_exits_has_failed_and_its_worker_goes_on(site: Site, tenant_a: TestTenant) -> None:
    job = site.run(tenant_a, "probe.exits")

    assert job.state == "failed"
    assert job.error is not None
    assert job.error["type"] == "SystemExit"
    assert site.run(tenant_a, "probe.idles").state == "succeeded"


def test_a_job_of_a_task_nobody_knows_waits_and_holds_up_no_other(site: Site, tenant_a: TestTenant) -> None:
    with tenant_session(tenant_a.context, role=Role.API) as session:
        unknown = accepting.accept(
            session, task_name="probe.of_tomorrow", payload={}, queue="default", max_attempts=1
        ).job_id
        unserved = accepting.accept(session, task_name="probe.idles", payload={}, queue="nobody", max_attempts=1).job_id

    assert site.run(tenant_a, "probe.idles").state == "succeeded"
    with tenant_session(tenant_a.context, role=Role.API) as session:
        assert [jobs.get_job(session, job_id).state for job_id in (unknown, unserved)] == ["queued", "queued"]
