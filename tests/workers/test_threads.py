"""Bodies that share a process: their time limits, their connections, and their neighbours."""

from collections.abc import Iterator

import pytest

from cli.stack.postgres import EmbeddedPostgres
from tests.databases import TestTenant, make_tenant
from tests.site import Site
from tests.workers import probe_tasks

SLOTS = 12
"""More than the connections a pool lends by default."""


@pytest.fixture(scope="module")
def crowd(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A worker with many threads."""
    directory = tmp_path_factory.mktemp("site_crowd")
    with Site.running(postgres, directory, task_modules=probe_tasks.NAME, name="crowd") as running:
        running.start_all("--pool=threads", f"--concurrency={SLOTS}")
        yield running


@pytest.fixture(scope="module")
def tenant(crowd: Site) -> TestTenant:
    """Whose jobs they are."""
    return make_tenant("crowd")


def test_every_slot_can_report_progress_at_once(crowd: Site, tenant: TestTenant) -> None:
    started = [crowd.enqueue(tenant, "probe.reports_with_others") for _ in range(SLOTS)]

    assert {crowd.wait(tenant, job_id).state for job_id in started} == {"succeeded"}


def test_a_body_without_a_connection_is_ended_at_its_limit_too(crowd: Site, tenant: TestTenant) -> None:
    job = crowd.run(tenant, "probe.swallows")

    assert job.state == "failed"
    assert job.error is not None
    assert job.error["type"] == "SoftTimeLimitExceeded"
