"""A worker whose line to PostgreSQL goes silent: nothing closes, nothing answers."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.chaos.black_hole import BlackHole
from cli.stack.postgres import EmbeddedPostgres
from db.dsn import setting_name
from db.roles import Role
from db.transport import CANCEL_TIMEOUT_SECONDS
from tests.databases import TestTenant, make_tenant
from tests.db.notes import create_notes, rows_of
from tests.site import Site
from tests.waiting import wait_until
from tests.workers import life_tasks
from tests.workers.test_life import attempts_of

LEASE_SECONDS = 4


@pytest.fixture(params=["prefork", "threads"])
def pool(request: pytest.FixtureRequest) -> str:
    """Celery's pool."""
    name: str = request.param
    return name


@pytest.fixture
def site(postgres: EmbeddedPostgres, tmp_path: Path) -> Iterator[Site]:
    """A dispatcher and a reaper; the test starts its workers."""
    with Site.running(postgres, tmp_path, task_modules=life_tasks.NAME, name="cut_off") as running:
        create_notes(running.database)
        running.environment |= {"PARTYWALL_LEASE_SECONDS": str(LEASE_SECONDS)}
        running.start("reaper", "workers.reaper").wait_for_line("agent_started")
        running.start_dispatcher().wait_for_line("agent_started")
        yield running


@pytest.fixture
def tenant(site: Site) -> TestTenant:
    """A tenant."""
    return make_tenant("acme")


@pytest.fixture
def line(site: Site, pool: str) -> Iterator[BlackHole]:
    """The way of the first worker to PostgreSQL."""
    url = site.database.url(Role.WORKER)
    with BlackHole.before(url) as line:
        site.worker = site.start_worker(
            f"--pool={pool}", "--concurrency=1", name="cut", **{setting_name(Role.WORKER): line.url(url)}
        )
        site.worker.wait_for_line(" ready.", timeout_seconds=60)
        yield line


@pytest.mark.parametrize(
    ("pool", "task_name"),
    [("prefork", "life.sleeps"), ("prefork", "life.queries"), ("threads", "life.computes")],
    indirect=["pool"],
)
def test_a_body_that_is_cut_off_is_told_and_its_job_takes_effect_once_elsewhere(
    site: Site, line: BlackHole, tenant: TestTenant, task_name: str, tmp_path: Path
) -> None:
    begun = tmp_path / "begun"
    job_id = site.enqueue(tenant, task_name, {"begun": str(begun), "seconds": 3 * LEASE_SECONDS})
    wait_until(begun.exists, timeout_seconds=30)
    line.fall_silent()
    cut_at = time.monotonic()
    # It ends the attempt without a word to PostgreSQL, which could not hear it.
    wait_until(lambda: "attempt_superseded" in site.worker.output(), timeout_seconds=30)
    told_after = time.monotonic() - cut_at
    site.start_worker("--concurrency=1", name="other").wait_for_line(" ready.", timeout_seconds=60)
    job = site.wait(tenant, job_id, timeout_seconds=60)
    line.speak()

    # A query has to be cancelled first, which nobody answers either.
    assert told_after < LEASE_SECONDS + 2 + (CANCEL_TIMEOUT_SECONDS if task_name == "life.queries" else 0)
    assert (job.state, job.attempt) == ("succeeded", 2)
    assert job.worker is not None
    assert job.worker.startswith("other@")
    assert attempts_of(site, job_id) == [(1, "lost"), (2, "succeeded")]
    assert rows_of(tenant) == ["kept"]


@pytest.mark.parametrize("pool", ["prefork"], indirect=True)
def test_a_worker_that_was_cut_off_works_again_when_its_line_is_back(
    site: Site, line: BlackHole, tenant: TestTenant, tmp_path: Path
) -> None:
    begun = tmp_path / "begun"
    job_id = site.enqueue(tenant, "life.sleeps", {"begun": str(begun), "seconds": LEASE_SECONDS + 3})
    wait_until(begun.exists, timeout_seconds=30)
    line.fall_silent()
    wait_until(lambda: "attempt_superseded" in site.worker.output(), timeout_seconds=30)
    line.speak()
    job = site.wait(tenant, job_id, timeout_seconds=60)

    assert job.state == "succeeded"
    assert rows_of(tenant) == ["kept"]
