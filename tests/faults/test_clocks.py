"""Clocks that jump: a worker's is not asked about leases, and PostgreSQL's decides."""

import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bench.chaos.black_hole import BlackHole
from db import steering
from db.roles import Role
from db.session import tenant_session
from tests.databases import TestTenant
from tests.db.notes import rows_of
from tests.faults import clock
from tests.faults.conftest import LEASE_SECONDS, start
from tests.site import Site
from tests.waiting import wait_until
from tests.workers.test_life import attempts_of, begin

HOUR = 3600


@pytest.fixture(scope="module")
def shift(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that says how far the workers' clock is wrong."""
    file = tmp_path_factory.mktemp("clock") / "shift"
    set_clock(file, 0)
    return file


@pytest.fixture(scope="module")
def system(site: Site, line: BlackHole, shift: Path) -> Site:
    """A dispatcher, a reaper, and a worker whose clock can be moved."""
    return start(site, "--concurrency=1", PYTHONPATH=str(Path(clock.__file__).parent), CLOCK_SHIFT_FILE=str(shift))


def set_clock(file: Path, seconds: float) -> None:
    # Renamed into place: a process that reads meanwhile finds the old one or the new one.
    new = file.with_suffix(".new")
    new.write_text(str(seconds))
    new.rename(file)


def at(moment: timedelta) -> str:
    return (datetime.now(UTC) + moment).strftime("%Y-%m-%dT%H")


@pytest.mark.parametrize("hours", [1, -1], ids=["forward", "back"])
def test_a_worker_whose_clock_jumps_keeps_its_lease_and_ends_its_body(
    system: Site, tenant: TestTenant, shift: Path, tmp_path: Path, hours: int
) -> None:
    kept, said = len(rows_of(tenant)), system.worker.written()
    job_id = begin(system, tenant, "life.sleeps", tmp_path / "begun", seconds=2 * LEASE_SECONDS)
    try:
        set_clock(shift, hours * HOUR)
        job = system.wait(tenant, job_id)
        after = system.run(tenant, "faults.writes")
    finally:
        set_clock(shift, 0)

    assert at(timedelta(hours=hours)) in system.worker.output(since=said)
    assert (job.state, job.attempt, job.lost) == ("succeeded", 1, 0)
    assert (after.state, after.attempt) == ("succeeded", 1)
    assert len(rows_of(tenant)) == kept + 2
    for each in (job, after):
        assert each.finished_at is not None
        assert abs(each.finished_at - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_job_that_waits_for_a_lease_that_ends_too_late_can_be_started_at_once(
    system: Site, tenant: TestTenant, tmp_path: Path
) -> None:
    kept = len(rows_of(tenant))
    begun = tmp_path / "begun"
    job_id = begin(system, tenant, "life.sleeps", begun, seconds=3)
    # As after a step back of the database's clock: the lease was given by the time before.
    os.kill(int(begun.read_text()), signal.SIGSTOP)
    try:
        system.database.do(
            "update partywall.jobs set lease_expires_at = now() + interval '1 hour' where id = :id", id=job_id
        )
        with tenant_session(tenant.context, role=Role.API) as session:
            steering.cancel_job(session, job_id, reason="its worker is gone")
            steering.retry_job(session, job_id)
        wait_until(
            lambda: system.database.ask("select state from partywall.jobs where id = :id", id=job_id) != [("running",)],
            timeout_seconds=5,
        )
    finally:
        os.kill(int(begun.read_text()), signal.SIGCONT)
    job = system.wait(tenant, job_id)

    assert (job.state, job.attempt) == ("succeeded", 2)
    assert attempts_of(system, job_id) == [(1, "cancelled"), (2, "succeeded")]
    assert len(rows_of(tenant)) == kept + 1
