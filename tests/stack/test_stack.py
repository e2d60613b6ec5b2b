"""The stack as a whole, with the servers only: they start fast, and nothing here asks for more."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from cli.stack.errors import (
    ServersIncompleteError,
    StackAlreadyRunningError,
    StackBusyError,
    StackStartError,
)
from cli.stack.home import Home
from cli.stack.home_lock import home_lock
from cli.stack.ports import any_free_port
from cli.stack.postgres import EmbeddedPostgres
from cli.stack.private_file import write_private_json
from cli.stack.processes import ProcessIdentity
from cli.stack.stack import SERVERS, Stack
from tests.waiting import wait_until


def _ignore(step: str) -> None:
    pass


def _stack(directory: Path) -> Stack:
    # On ports that no other test prefers.
    home = Home(directory / "home")
    home.create()
    write_private_json(home.ports, {name: any_free_port() for name in ("postgres", "broker", "api", "flower")})
    return Stack(home, durable=False)


def _pids(stack: Stack) -> list[int]:
    return [process.pid for process in stack.status().processes.values() if process.pid]


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """A stack that is down."""
    stack = _stack(tmp_path)
    yield stack
    stack.down(_ignore)


@pytest.fixture(scope="module")
def running(module_path: Path) -> Iterator[Stack]:
    """A stack that is up, for those who only look."""
    stack = _stack(module_path)
    stack.up(_ignore, SERVERS)
    yield stack
    stack.down(_ignore)


def test_up_migrates_and_writes_where_everything_is(running: Stack) -> None:
    settings = running.home.settings()

    with psycopg.connect(settings["PARTYWALL_OPERATOR_DATABASE_URL"]) as connection:
        assert connection.execute("select to_regclass('partywall.jobs') is not null").fetchall() == [(True,)]
    with redis.Redis.from_url(settings["PARTYWALL_BROKER_URL"]) as client:
        assert client.ping()
    assert settings["PARTYWALL_API_URL"] == running.status().addresses["api"]
    assert running.home.env.stat().st_mode & 0o777 == 0o600


def test_no_password_stands_in_what_is_shown_or_on_a_command_line(running: Stack) -> None:
    shown = list(running.status().addresses.values())
    shown += [word for pid in _pids(running) for word in psutil.Process(pid).cmdline()]

    for name in ("postgres", "broker"):
        assert running.home.password(name) not in " ".join(shown)


def test_a_second_up_says_where_the_first_one_runs(running: Stack) -> None:
    with pytest.raises(StackAlreadyRunningError, match="partywall down") as refused:
        Stack(running.home).up(_ignore, SERVERS)
    assert refused.value.facts["api"] == running.status().addresses["api"]
    assert len(_pids(running)) == 2


def test_an_up_beside_another_that_is_still_at_work_is_refused(stack: Stack) -> None:
    with home_lock(stack.home), pytest.raises(StackBusyError):
        Stack(stack.home).up(_ignore, SERVERS)


def test_down_leaves_no_process_and_the_next_up_has_the_same_data_and_addresses(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = stack.up(_ignore, SERVERS)
    pids = _pids(stack)
    settings = stack.home.settings()
    with psycopg.connect(settings["PARTYWALL_ADMIN_DATABASE_URL"]) as connection:
        connection.execute("create table kept as select 1 as row")

    assert stack.down(_ignore)
    assert not [pid for pid in pids if psutil.pid_exists(pid)]
    assert not stack.down(_ignore)

    for name, value in settings.items():  # as if a shell had read the file `env`
        monkeypatch.setenv(name, value)
    assert stack.up(_ignore, SERVERS) == before
    assert len(_pids(stack)) == len(pids) == 2
    with psycopg.connect(settings["PARTYWALL_ADMIN_DATABASE_URL"]) as connection:
        assert connection.execute("select row from kept").fetchall() == [(1,)]


def test_up_after_a_crash_clears_up_and_starts(stack: Stack) -> None:
    stack.up(_ignore, SERVERS)
    orphans = [ProcessIdentity.of(pid) for pid in _pids(stack)]
    supervisor = ProcessIdentity.of(int((stack.home.run / "supervisord.pid").read_text()))
    os.kill(supervisor.pid, signal.SIGKILL)
    wait_until(lambda: not supervisor.is_alive(), timeout_seconds=5)
    assert all(orphan.is_alive() for orphan in orphans)
    stack.up(_ignore, SERVERS)

    assert not [orphan for orphan in orphans if orphan.is_alive()]
    assert {status.state.value for status in stack.status().processes.values()} == {"RUNNING"}


def test_the_record_of_a_run_before_a_reboot_stops_nobody(stack: Stack) -> None:
    # After a reboot the recorded pid may be anybody's: here it is this very process, started at another time.
    write_private_json(
        stack.home.run / "stack.json",
        {"supervisor": {"pid": os.getpid(), "started_at": 1.0}, "socket": "/nowhere/socket", "addresses": {}},
    )

    assert not stack.is_running()
    assert stack.clear_up(_ignore)
    assert not stack.clear_up(_ignore)


def test_a_server_that_cannot_start_stops_the_others_and_shows_its_log(stack: Stack) -> None:
    EmbeddedPostgres(stack.home.postgres, 1, stack.home.password("postgres"), durable=False).initialise()
    (stack.home.postgres / "postgresql.auto.conf").write_text("no_such_setting = on\n")

    with pytest.raises(StackStartError, match=r"postgres ended[\s\S]*no_such_setting"):
        stack.up(_ignore, SERVERS)
    assert not stack.is_running()


def test_servers_of_your_own_are_used_instead_of_embedded_ones(
    running: Stack, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in running.home.settings().items():
        monkeypatch.setenv(name, value)
    addresses = stack.up(_ignore, SERVERS)

    assert not _pids(stack)
    assert addresses["postgres"] == running.status().addresses["postgres"]
    assert "PARTYWALL_BROKER_URL" not in stack.home.settings()


def test_a_database_of_your_own_for_one_role_only_is_refused(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTYWALL_API_DATABASE_URL", "postgresql://api:secret@elsewhere/partywall")

    with pytest.raises(ServersIncompleteError, match="PARTYWALL_WORKER_DATABASE_URL") as refused:
        stack.up(_ignore, SERVERS)
    assert "secret" not in str(refused.value)
