"""PostgreSQL restarts, ends sessions, has no room, or takes back a transaction: nothing is lost, nothing kept twice."""

import os
import pwd
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest

from bench.chaos.database import Database
from cli.stack.postgres import EmbeddedPostgres
from db.engine import dispose_engines
from tasks.execution import TELL_SECONDS
from tests.api.server import serving
from tests.databases import TestTenant, make_template
from tests.db.notes import rows_of, write_note
from tests.faults.conftest import Busy, See
from tests.site import Site
from tests.waiting import wait_until
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


def test_an_attempt_that_fails_of_a_restart_says_so_when_postgresql_is_back(
    system: Site, tenant: TestTenant, postgres_of_its_own: Database, tmp_path: Path
) -> None:
    # On a machine that has much else to do it takes longer to restart than an attempt waits.
    for number in range(5):
        begun = tmp_path / f"begun-{number}"
        job_id = system.enqueue(tenant, "faults.asks", {"begun": str(begun), "go_on": str(begun)})
        wait_until(begun.exists, timeout_seconds=30, what="the body has begun")
        began = time.monotonic()
        postgres_of_its_own.restart()
        was_away_seconds = time.monotonic() - began
        job = system.wait(tenant, job_id, timeout_seconds=60)
        if was_away_seconds < TELL_SECONDS / 2:
            break

    assert (job.state, job.attempt) == ("succeeded", 2)
    assert attempts_of(system, job_id) == [(1, "failed"), (2, "succeeded")]


def test_ended_sessions_cost_the_running_attempts_and_nothing_else(
    system: Site, tenant: TestTenant, postgres_of_its_own: Database, busy: Busy, see: See
) -> None:
    kept = len(rows_of(tenant))
    with busy() as running:
        assert postgres_of_its_own.terminate_backends() > 0
        # Ours as well, each at its own moment: perhaps only when it has a query already.
        dispose_engines()

    assert_all_ran(system, tenant, running, kept=kept)
    see("All sessions of PostgreSQL are terminated")


@pytest.fixture
def make_room(system: Site, server: EmbeddedPostgres) -> Iterator[Callable[[], None]]:
    """Leaves no room for notes, on a small disk if this is root and may mount one; a function that makes room."""
    if os.getuid() != 0:
        with no_room_for(system, "app.notes") as room:
            yield room
        return
    with small_disk(server) as disk:
        system.database.do_outside_transactions(f"create tablespace small location '{disk}'")
        system.database.do("alter table app.notes set tablespace small")
        yield lambda: _mount("-o", "remount,size=64m", disk)
        system.database.do("alter table app.notes set tablespace pg_default")
        system.database.do_outside_transactions("drop tablespace small")


@contextmanager
def small_disk(server: EmbeddedPostgres) -> Iterator[str]:
    """Mount a file system of four megabytes while the block runs, and give it to the server's user."""
    owner = pwd.getpwnam(server.system_user) if server.system_user else pwd.getpwuid(os.getuid())
    options = f"size=4m,mode=0700,uid={owner.pw_uid},gid={owner.pw_gid}"
    with tempfile.TemporaryDirectory(prefix="partywall-disk-") as place:
        Path(place).chmod(0o755)
        _mount("-t", "tmpfs", "-o", options, "tmpfs", place)
        try:
            yield place
        finally:
            subprocess.run(["umount", "--lazy", place], check=True)


def _mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True)


@contextmanager
def no_room_for(site: Site, table: str) -> Iterator[Callable[[], None]]:
    """Let every write to a table fail as on a full disk while the block runs, or until the function is called."""
    site.database.do(
        "create function public.no_room() returns trigger language plpgsql as $$ begin"
        " raise exception 'could not extend file: No space left on device' using errcode = '53100'; end $$"
    )
    site.database.do(f"create trigger no_room before insert or update on {table} execute function public.no_room()")

    def make_room() -> None:
        site.database.do("drop function if exists public.no_room() cascade")

    try:
        yield make_room
    finally:
        make_room()


def test_a_full_disk_fails_attempts_until_there_is_room(
    system: Site, tenant: TestTenant, make_room: Callable[[], None], see: See
) -> None:
    kept = len(rows_of(tenant))
    job_id = system.enqueue(tenant, "faults.fills")
    see("A disk of PostgreSQL is full")
    make_room()
    job = system.wait(tenant, job_id, timeout_seconds=60)

    assert job.state == "succeeded"
    assert job.attempt > 1
    assert len(rows_of(tenant)) == kept + 1


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
        with no_room_for(system, "partywall.jobs"):
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
