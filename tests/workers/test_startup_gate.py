"""No process works with a login that can do too much, or behind a wall with a hole: it says so and ends with 78."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest

from cli.stack.broker import Broker
from cli.stack.ports import any_free_port
from cli.stack.postgres import EmbeddedPostgres
from db.credentials import ApiKey
from db.dsn import setting_name
from db.roles import Role
from tests.databases import Database, clone, drop
from tests.site import ROOT, Process
from tests.waiting import wait_until

KINDS = {
    "api": (Role.API, ["-m", "api"]),
    "dispatcher": (Role.DISPATCHER, ["-m", "workers.dispatcher"]),
    "reaper": (Role.DISPATCHER, ["-m", "workers.reaper"]),
    "worker": (Role.WORKER, ["-m", "celery", "-A", "workers", "worker", "--pool=solo", "--loglevel=INFO"]),
    "beat": (Role.SCHEDULER, ["-m", "celery", "-A", "workers", "beat", "--loglevel=INFO"]),
}
WORKS = {
    "api": "api_listens",
    "dispatcher": "agent_started",
    "reaper": "agent_started",
    "worker": " ready.",
    "beat": "beat_started",
}
Start = Callable[..., Process]


@pytest.fixture
def database(postgres: EmbeddedPostgres) -> Iterator[Database]:
    """A migrated database of the test's own."""
    made = clone(postgres, f"gate_{os.getpid()}")
    yield made
    drop(made)


@pytest.fixture
def start(database: Database, broker: Broker, tmp_path: Path) -> Iterator[Start]:
    """A function that starts a process of a kind, with settings of its own on top; it is killed after the test."""
    started: list[subprocess.Popen[bytes]] = []
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PARTYWALL_")}

    def run(kind: str, **settings: str) -> Process:
        log = tmp_path / f"{kind}.log"
        options = [f"--schedule={tmp_path / 'schedule'}"] if kind == "beat" else []
        with log.open("wb") as output:
            popen = subprocess.Popen(
                [sys.executable, *KINDS[kind][1], *options],
                cwd=ROOT,
                env=clean
                | database.environment
                | {
                    "PARTYWALL_HOME": str(tmp_path / "no-home"),
                    "PARTYWALL_BROKER_URL": broker.url,
                    "PARTYWALL_API_PORT": str(any_free_port()),
                    "PYTHONUNBUFFERED": "1",
                }
                | settings,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        started.append(popen)
        return Process(popen, log)

    yield run
    for popen in started:
        if popen.poll() is None:
            os.killpg(popen.pid, signal.SIGKILL)
        popen.wait()


def reason(process: Process) -> str:
    """Return why a process refused to start, after checking how it did."""
    code = process.popen.wait(60)
    said = [json.loads(line) for line in process.output().splitlines() if line.startswith("{")]
    refusals = [line for line in said if line["event"] == "refused_to_start"]
    assert (code, len(refusals), said[-1]) == (78, 1, refusals[0] if refusals else None), process.output()
    assert "Traceback" not in process.output()
    why: str = refusals[0]["reason"]
    return why


def test_every_kind_of_process_starts_on_a_good_database(start: Start) -> None:
    # At once: each takes as long as its imports do.
    running = {kind: start(kind) for kind in KINDS}

    for kind, process in running.items():
        process.wait_for_line(WORKS[kind], timeout_seconds=60)


def test_none_starts_with_a_superusers_login(start: Start, database: Database) -> None:
    running = {kind: start(kind, **{setting_name(role): database.admin_url}) for kind, (role, _) in KINDS.items()}

    for kind, process in running.items():
        why = reason(process)
        assert "postgres is a superuser" in why
        assert f"Put the login {KINDS[kind][0].login} into {setting_name(KINDS[kind][0])}." in why


@contextmanager
def given(database: Database, gift: str, undo: str) -> Iterator[None]:
    """Give every service's login something while the block runs: logins belong to the whole server."""
    logins = sorted({role.login for role, _ in KINDS.values()})
    for login in logins:
        database.do(gift.format(login=login))
    try:
        yield
    finally:
        for login in logins:
            database.do(undo.format(login=login))


def test_none_starts_with_a_login_that_is_two_roles(start: Start, database: Database) -> None:
    with given(database, "grant partywall_operator to {login}", "revoke partywall_operator from {login}"):
        refused = {kind: start(kind) for kind in KINDS}
        for kind, process in refused.items():
            assert f"{KINDS[kind][0].login} is a member of partywall_operator" in reason(process)


def test_none_starts_behind_a_wall_with_a_hole(start: Start, database: Database) -> None:
    database.do("alter table app.files disable row level security")
    refused = [start(kind) for kind in KINDS]

    for process in refused:
        assert "app.files" in reason(process)


def test_a_worker_is_asked_about_the_schedulers_login_too(start: Start, database: Database) -> None:
    process = start("worker", PARTYWALL_SCHEDULER_DATABASE_URL=database.url(Role.OPERATOR))

    assert "expected partywall_scheduler" in reason(process)


def test_a_dispatcher_that_would_send_nothing_is_refused(start: Start) -> None:
    assert "in_flight_limit: " in reason(start("dispatcher", PARTYWALL_IN_FLIGHT_LIMIT="0"))


def test_beat_needs_the_schedulers_setting(start: Start) -> None:
    assert "setting=PARTYWALL_SCHEDULER_DATABASE_URL" in reason(start("beat", PARTYWALL_SCHEDULER_DATABASE_URL=""))


# -- a database that is away -----------------------------------------------------------------------


@pytest.fixture
def late(database: Database) -> Iterator[tuple[Database, Callable[[], None]]]:
    """A database that lets nobody in yet, and a function that opens it."""
    admin = database.server.admin_url("postgres")

    def allow(connections: bool) -> None:
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(f"alter database {database.name} allow_connections {connections}".encode())

    allow(False)
    yield database, lambda: allow(True)
    allow(True)


def test_who_starts_before_its_database_waits_and_works_when_it_is_there(
    start: Start, late: tuple[Database, Callable[[], None]]
) -> None:
    _, open_ = late
    waiting = {kind: start(kind) for kind in KINDS}
    for process in waiting.values():
        process.wait_for_line("database_unreachable_at_start", timeout_seconds=60)
    for kind in ("dispatcher", "reaper", "worker", "beat"):
        assert WORKS[kind] not in waiting[kind].output()
    open_()

    for kind, process in waiting.items():
        process.wait_for_line(WORKS[kind], timeout_seconds=60)


def test_who_starts_before_its_database_is_refused_when_it_comes_with_a_hole(
    start: Start, late: tuple[Database, Callable[[], None]]
) -> None:
    database, open_ = late
    waiting = [start(kind) for kind in KINDS if kind != "api"]
    for process in waiting:
        process.wait_for_line("database_unreachable_at_start", timeout_seconds=60)
    open_()
    database.do("alter table app.files disable row level security")

    for process in waiting:
        assert "app.files" in reason(process)


@pytest.mark.parametrize("path", ["/readyz", "/v1/jobs"])
def test_an_api_that_started_before_its_database_asks_with_its_first_request(
    path: str, start: Start, late: tuple[Database, Callable[[], None]]
) -> None:
    database, open_ = late
    port = any_free_port()
    api = start("api", PARTYWALL_API_PORT=str(port))
    api.wait_for_line("api_listens", timeout_seconds=60)
    headers = {"Authorization": f"Bearer {ApiKey.new().spell()}"}

    def ask() -> int | None:
        try:
            return httpx.get(f"http://127.0.0.1:{port}{path}", headers=headers, trust_env=False).status_code
        except httpx.TransportError:
            return None  # not listening yet, or ended in the middle of its answer

    wait_until(lambda: ask() == 503, timeout_seconds=30)
    open_()
    database.do("alter table app.files disable row level security")

    def has_ended() -> bool:
        assert ask() in (503, None)
        return api.popen.poll() is not None

    wait_until(has_ended, timeout_seconds=30)
    assert "app.files" in reason(api)


def test_an_agent_that_is_told_to_stop_while_it_waits_stops(
    start: Start, late: tuple[Database, Callable[[], None]]
) -> None:
    process = start("reaper")
    process.wait_for_line("database_unreachable_at_start", timeout_seconds=60)
    process.popen.send_signal(signal.SIGTERM)

    assert process.popen.wait(10) == 0


def test_under_a_server_of_ones_own_the_api_ends_too(database: Database, broker: Broker, tmp_path: Path) -> None:
    """`uvicorn --factory api.app:create_app` never comes by `python -m api`."""
    database.do("alter table app.files disable row level security")
    done = subprocess.run(
        [sys.executable, "-m", "uvicorn", "--factory", "api.app:create_app", "--port", str(any_free_port())],
        cwd=ROOT,
        env=os.environ | database.environment | {"PARTYWALL_HOME": str(tmp_path), "PARTYWALL_BROKER_URL": broker.url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 78, done.stderr
    assert "refused_to_start" in done.stdout + done.stderr
