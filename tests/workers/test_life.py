"""A running attempt: kept alive by its process, stopped when it is cancelled, ended at once when its process is."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from cli.stack.postgres import EmbeddedPostgres
from db import steering
from db.roles import Role
from db.session import tenant_session
from tests.databases import TestTenant, make_tenant
from tests.db.notes import create_notes, rows_of
from tests.site import Site
from tests.waiting import wait_until
from tests.workers import life_tasks

LEASE_SECONDS = 5


@pytest.fixture(scope="module", params=["prefork", "threads"])
def pool(request: pytest.FixtureRequest) -> str:
    """Celery's pool."""
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def site(pool: str, postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A dispatcher, a reaper and a worker with short leases."""
    directory = tmp_path_factory.mktemp(f"life_{pool}")
    with Site.running(postgres, directory, task_modules=life_tasks.NAME, name=f"life_{pool}") as running:
        create_notes(running.database)
        running.environment |= {"PARTYWALL_LEASE_SECONDS": str(LEASE_SECONDS)}
        running.start("reaper", "workers.reaper").wait_for_line("agent_started")
        running.start_all(f"--pool={pool}", "--concurrency=2")
        yield running


@pytest.fixture(scope="module")
def tenant(site: Site) -> TestTenant:
    """A tenant."""
    return make_tenant("acme")


def attempts_of(site: Site, job_id: UUID) -> list[tuple[object, ...]]:
    return site.database.ask(
        "select attempt, outcome from partywall.attempts where job_id = :id order by attempt", id=job_id
    )


def begin(site: Site, tenant: TestTenant, task_name: str, begun: Path, seconds: float = 60) -> UUID:
    """Return the id of a job whose body has begun."""
    job_id = site.enqueue(tenant, task_name, {"begun": str(begun), "seconds": seconds})
    wait_until(lambda: pids(begun), timeout_seconds=30)
    return job_id


def pids(begun: Path) -> list[int]:
    """The processes of the bodies that have begun. The file stands there a moment before its line does."""
    written = begun.read_text() if begun.exists() else ""
    return [int(line) for line in written.splitlines(keepends=True) if line.endswith("\n")]


def cancel(tenant: TestTenant, job_id: UUID) -> None:
    with tenant_session(tenant.context, role=Role.API) as session:
        steering.cancel_job(session, job_id, reason="no longer wanted")


def test_a_body_that_outlives_its_lease_many_times_keeps_it(site: Site, tenant: TestTenant, tmp_path: Path) -> None:
    job_id = begin(site, tenant, "life.sleeps", tmp_path / "begun", seconds=2 * LEASE_SECONDS + 1)
    job = site.wait(tenant, job_id)

    assert (job.state, job.attempt, job.lost) == ("succeeded", 1, 0)
    assert attempts_of(site, job_id) == [(1, "succeeded")]


@pytest.mark.parametrize("task_name", ["life.sleeps", "life.computes", "life.queries", "life.awaits"])
def test_a_cancelled_body_is_told_within_two_seconds(
    site: Site, tenant: TestTenant, pool: str, task_name: str, tmp_path: Path
) -> None:
    kept, said = len(rows_of(tenant)), site.worker.written()
    # A thread that waits in a system call hears nothing until it returns.
    seconds = 4 if (pool, task_name) == ("threads", "life.sleeps") else 60
    job_id = begin(site, tenant, task_name, tmp_path / "begun", seconds)
    cancel(tenant, job_id)
    asked_at = time.monotonic()
    job = site.wait(tenant, job_id)
    wait_until(lambda: "attempt_superseded" in site.worker.output(since=said), timeout_seconds=20)

    assert time.monotonic() - asked_at < 3 + (4 if seconds == 4 else 0)
    assert (job.state, job.cancel_reason) == ("cancelled", "no longer wanted")
    assert job.cancelled_by is not None
    assert job.cancelled_by.startswith("key/")
    assert "JobCancelledError" in site.worker.output(since=said)
    assert attempts_of(site, job_id) == [(1, "cancelled")]
    assert len(rows_of(tenant)) == kept


def test_a_body_decides_when_it_is_tried_again(site: Site, tenant: TestTenant, tmp_path: Path) -> None:
    job = site.run(tenant, "life.asks_for_later", {"path": str(tmp_path / "x")}, timeout_seconds=15)

    assert (job.state, job.attempt) == ("succeeded", 2)


def test_a_body_cancels_its_own_job(site: Site, tenant: TestTenant, tmp_path: Path) -> None:
    kept = len(rows_of(tenant))
    job = site.run(tenant, "life.cancels", {"path": str(tmp_path / "x")})

    assert (job.state, job.attempt, job.cancel_reason) == ("cancelled", 1, "the order is gone")
    assert job.cancelled_by == f"job/{job.id}/1"
    assert len(rows_of(tenant)) == kept


@pytest.mark.parametrize("pool", ["prefork"], scope="module", indirect=True)
class TestProcesses:
    """Of prefork, where a body has a process of its own."""

    def test_a_job_whose_process_is_killed_waits_for_no_lease(
        self, site: Site, tenant: TestTenant, tmp_path: Path
    ) -> None:
        begun = tmp_path / "begun"
        job_id = begin(site, tenant, "life.sleeps", begun, seconds=4)
        os.kill(pids(begun)[0], signal.SIGKILL)
        wait_until(lambda: attempts_of(site, job_id) == [(1, "killed")], timeout_seconds=5)
        job = site.wait(tenant, job_id)

        assert (job.state, job.attempt, job.lost) == ("succeeded", 2, 1)

    def test_a_job_that_kills_every_process_it_meets_fails_before_the_next(
        self, site: Site, tenant: TestTenant, tmp_path: Path
    ) -> None:
        job = site.run(tenant, "life.kills", {"path": str(tmp_path / "attempts")}, timeout_seconds=60)

        assert (job.state, job.attempt) == ("failed", 3)
        assert job.error is not None
        assert job.error["type"] == "WorkerLostTooOften"
        assert (tmp_path / "attempts").read_text().split() == ["1", "2", "3"]

    def test_a_process_that_stood_still_finds_its_lease_gone_and_keeps_nothing(
        self, site: Site, tenant: TestTenant, tmp_path: Path
    ) -> None:
        begun = tmp_path / "begun"
        kept, said = len(rows_of(tenant)), site.worker.written()
        job_id = begin(site, tenant, "life.sleeps", begun, seconds=2)
        stopped = pids(begun)[0]
        os.kill(stopped, signal.SIGSTOP)
        try:
            wait_until(lambda: (1, "lost") in attempts_of(site, job_id), timeout_seconds=20)
            job = site.wait(tenant, job_id)
        finally:
            os.kill(stopped, signal.SIGCONT)
        wait_until(lambda: "attempt_superseded" in site.worker.output(since=said), timeout_seconds=20)

        assert (job.state, job.attempt) == ("succeeded", 2)
        assert attempts_of(site, job_id) == [(1, "lost"), (2, "succeeded")]
        assert len(rows_of(tenant)) == kept + 1
