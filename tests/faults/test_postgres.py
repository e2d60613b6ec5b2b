"""PostgreSQL restarts, ends sessions, has no room, or takes back a transaction: nothing is lost, nothing kept twice."""

import os
import pwd
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest

from bench.chaos.database import Database
from cli.stack.postgres import EmbeddedPostgres
from tests.api.server import serving
from tests.databases import TestTenant, make_template
from tests.db.notes import rows_of, write_note
from tests.faults.conftest import Busy, See
from tests.site import Site
from tests.workers.test_life import attempts_of


@pytest.fixture(scope="module")
def postgres_of_its_own() -> Iterator[Database]:
    """A PostgreSQL that may be restarted, and one that keeps what it has committed."""
    with tempfile.TemporaryDirectory(prefix="partywall-faults-") as directory:
        database = Database(Path(directory))
        database.start()
        make_template(database.server)
        yield database
        database.stop()


@pytest.fixture(scope="module")
def server(postgres_of_its_own: Database) -> EmbeddedPostgres:
    """The one that is restarted."""
    return postgres_of_its_own.server


def assert_all_ran(system: Site, tenant: TestTenant, jobs: list[UUID], *, kept: int) -> None:
    ended = [system.wait(tenant, job_id, timeout_seconds=60) for job_id in jobs]

    assert {job.state for job in ended} == {"succeeded"}
    assert len(rows_of(tenant)) == kept + len(jobs)


def test_a_restart_costs_the_running_attempts_and_nothing_else(
    system: Site, tenant: TestTenant, postgres_of_its_own: Database, busy: Busy, see: See
) -> None:
    kept = len(rows_of(tenant))
    with busy() as running:
        waiting = [system.enqueue(tenant, "faults.writes") for _ in range(4)]
        postgres_of_its_own.restart()

    assert_all_ran(system, tenant, running + waiting, kept=kept)
    see("PostgreSQL restarts")


def test_ended_sessions_cost_the_running_attempts_and_nothing_else(
    system: Site, tenant: TestTenant, postgres_of_its_own: Database, busy: Busy, see: See
) -> None:
    kept = len(rows_of(tenant))
    with busy() as running:
        assert postgres_of_its_own.terminate_backends() > 0

    assert_all_ran(system, tenant, running, kept=kept)
    see("All sessions of PostgreSQL are terminated")


@contextmanager
def small_disk(server: EmbeddedPostgres, megabytes: int) -> Iterator[Path]:
    """Mount a file system of that size for the server's tablespaces."""
    with tempfile.TemporaryDirectory(prefix="partywall-disk-") as place:
        owner = pwd.getpwnam(server.system_user) if server.system_user else pwd.getpwuid(os.getuid())
        options = f"size={megabytes}m,mode=0700,uid={owner.pw_uid},gid={owner.pw_gid}"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], check=True)
        try:
            yield Path(place)
        finally:
            subprocess.run(["umount", "--lazy", place], check=True)


@pytest.mark.skipif(os.getuid() != 0, reason="only root may mount a small file system")
def test_a_full_disk_fails_attempts_until_there_is_room(
    system: Site, tenant: TestTenant, server: EmbeddedPostgres, see: See
) -> None:
    with small_disk(server, megabytes=4) as disk:
        system.database.do_outside_transactions(f"create tablespace small location '{disk}'")
        system.database.do("alter table app.notes set tablespace small")
        kept = len(rows_of(tenant))
        job_id = system.enqueue(tenant, "faults.fills")
        see("A disk of PostgreSQL is full")
        subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
        job = system.wait(tenant, job_id, timeout_seconds=60)

        assert job.state == "succeeded"
        assert job.attempt > 1
        assert len(rows_of(tenant)) == kept + 1

        system.database.do("alter table app.notes set tablespace pg_default")
        system.database.do_outside_transactions("drop tablespace small")


@contextmanager
def no_room_for_jobs(site: Site) -> Iterator[None]:
    """Let every write to the platform's jobs fail as on a full disk while the block runs."""
    site.database.do(
        "create function public.no_room() returns trigger language plpgsql as $$ begin"
        " raise exception 'could not extend file: No space left on device' using errcode = '53100'; end $$"
    )
    site.database.do(
        "create trigger no_room before insert or update on partywall.jobs execute function public.no_room()"
    )
    try:
        yield
    finally:
        site.database.do("drop function public.no_room() cascade")


def test_without_room_for_jobs_none_is_accepted_and_none_is_lost(
    system: Site, tenant: TestTenant, busy: Busy, see: See
) -> None:
    kept = len(rows_of(tenant))
    with (
        serving(system.environment, system.directory) as api,
        api.client(tenant.key.spell()) as http,
        busy() as running,
    ):
        waiting = [system.enqueue(tenant, "faults.writes")]
        with no_room_for_jobs(system):
            refused = http.post("/v1/jobs", json={"task": "faults.writes", "payload": {}})
            see("There is no room for jobs")

    assert (refused.status_code, refused.json()["type"]) == (503, "/problems/database-unavailable")
    assert_all_ran(system, tenant, running + waiting, kept=kept)


def test_whoever_loses_a_deadlock_is_tried_again_soon(
    system: Site, tenant: TestTenant, tmp_path: Path, see: See
) -> None:
    write_note(tenant, "left")
    write_note(tenant, "right")
    left, right = tmp_path / "left", tmp_path / "right"
    jobs = [
        system.enqueue(
            tenant, "faults.crosses", {"first": first, "second": second, "mine": str(mine), "other": str(other)}
        )
        for first, second, mine, other in (("left", "right", left, right), ("right", "left", right, left))
    ]
    ended = [system.wait(tenant, job_id, timeout_seconds=20) for job_id in jobs]

    assert sorted((job.state, job.attempt) for job in ended) == [("succeeded", 1), ("succeeded", 2)]
    assert {"left++", "right++"} <= set(rows_of(tenant))
    see("A body's transaction is taken back")


def test_a_serialization_failure_is_tried_again_soon(system: Site, tenant: TestTenant) -> None:
    system.database.do(
        "create function app.conflict() returns void language plpgsql as $$ begin"
        " raise exception 'could not serialize access due to concurrent update' using errcode = '40001'; end $$"
    )
    job = system.run(tenant, "faults.conflicts", timeout_seconds=20)

    assert (job.state, job.attempt) == ("succeeded", 2)
    assert rows_of(tenant).count("conflicting") == 1
    assert attempts_of(system, job.id) == [(1, "failed"), (2, "succeeded")]
