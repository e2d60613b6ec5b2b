"""A worker that is told to stop: what is short ends, the rest is handed back, and a second signal is faster."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.stack.postgres import EmbeddedPostgres
from tasks.proof.processes import Process
from tests.databases import TestTenant, make_tenant
from tests.db.notes import create_notes, rows_of
from tests.site import Site
from tests.waiting import wait_until
from tests.workers import life_tasks
from tests.workers.test_life import attempts_of, begin

STOPS_WITHIN = 25


@pytest.fixture
def site(postgres: EmbeddedPostgres, tmp_path: Path) -> Iterator[Site]:
    """A dispatcher; each test starts its workers."""
    with Site.running(postgres, tmp_path, task_modules=life_tasks.NAME, name="shutdown") as running:
        create_notes(running.database)
        running.start_dispatcher().wait_for_line("agent_started")
        yield running


@pytest.fixture
def tenant(site: Site) -> TestTenant:
    """A tenant."""
    return make_tenant("acme")


def worker(site: Site, name: str, *, pool: str = "prefork", grace: float) -> Process:
    # Celery's own reading of TERM: take nothing more, let what runs end.
    site.environment["PARTYWALL_SHUTDOWN_GRACE_SECONDS"] = str(grace)
    started = site.start_worker(f"--pool={pool}", "--concurrency=1", name=name, REMAP_SIGTERM="")
    started.wait_for_line(" ready.", timeout_seconds=60)
    site.worker = started
    return started


def seconds_to_end(process: Process) -> float:
    began = time.monotonic()
    process.popen.wait(timeout=STOPS_WITHIN)
    return time.monotonic() - began


@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_what_does_not_end_in_time_is_handed_back_and_not_counted(
    site: Site, tenant: TestTenant, tmp_path: Path, pool: str
) -> None:
    first = worker(site, "first", pool=pool, grace=1)
    job_id = begin(site, tenant, "life.computes", tmp_path / "begun", seconds=8)
    first.popen.send_signal(signal.SIGTERM)
    wait_until(lambda: attempts_of(site, job_id) == [(1, "handed_back")], timeout_seconds=10)
    second = worker(site, "second", grace=30)
    job = site.wait(tenant, job_id)

    assert (job.state, job.attempt, job.handed_back, job.lost) == ("succeeded", 2, 1, 0)
    assert rows_of(tenant) == ["kept"]
    seconds_to_end(first)
    second.popen.send_signal(signal.SIGTERM)
    # Idle, it has nothing to wait for.
    assert seconds_to_end(second) < 10


def test_what_is_short_ends(site: Site, tenant: TestTenant, tmp_path: Path) -> None:
    process = worker(site, "worker", grace=20)
    job_id = begin(site, tenant, "life.sleeps", tmp_path / "begun", seconds=2)
    process.popen.send_signal(signal.SIGTERM)

    assert seconds_to_end(process) < 15
    assert attempts_of(site, job_id) == [(1, "succeeded")]


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGQUIT])
def test_a_second_signal_does_not_wait_for_the_grace(
    site: Site, tenant: TestTenant, tmp_path: Path, second: signal.Signals
) -> None:
    process = worker(site, "worker", grace=300)
    job_id = begin(site, tenant, "life.sleeps", tmp_path / "begun", seconds=60)
    process.popen.send_signal(signal.SIGTERM)
    process.wait_for_line("Warm shutdown", timeout_seconds=10)
    process.popen.send_signal(second)

    assert seconds_to_end(process) < 15
    assert attempts_of(site, job_id) == [(1, "handed_back")]
