"""`partywall up` with everything, as somebody at a terminal has it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from cli.stack.home import Home
from cli.stack.ports import any_free_port
from cli.stack.private_file import write_private_json
from cli.stack.stack import PROCESSES, Stack
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(240)  # a machine that runs the whole suite beside it takes its time


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A home on ports that no other test prefers; whatever runs from it is stopped after the test."""
    home = Home(tmp_path / "home")
    home.create()
    write_private_json(home.ports, {name: any_free_port() for name in ("postgres", "broker", "api", "flower")})
    yield home
    Stack(home).down(lambda step: None)


def _partywall(home: Home, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", "from cli.main import app; app()", *arguments],
        env=os.environ | {"PARTYWALL_HOME": str(home.root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def _staying(home: Home, *arguments: str) -> "Iterator[subprocess.Popen[str]]":
    """A command that runs until it is told to stop, which it is when the test fails before it does."""
    with _partywall(home, *arguments) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.communicate(timeout=90)


def _run(home: Home, *arguments: str) -> tuple[int, dict[str, Any]]:
    with _partywall(home, *arguments, "--json") as process:
        answered, _ = process.communicate(timeout=120)
    return process.returncode, json.loads(answered)


def _still_there(pids: list[int]) -> list[int]:
    return [pid for pid in pids if psutil.pid_exists(pid)]


def test_up_starts_everything_until_ctrl_c_and_leaves_nothing_behind(home: Home) -> None:
    with _staying(home, "up", "--json") as up:
        assert up.stdout is not None
        addresses = json.loads(up.stdout.readline())["addresses"]
        code, status = _run(home, "status")

        assert code == 0
        assert list(status["processes"]) == list(PROCESSES)
        for url in (f"{addresses['api']}/readyz", addresses["api_docs"], f"{addresses['flower']}/api/tasks"):
            assert httpx.get(url, trust_env=False).status_code == 200
        assert _run(home, "up") == (3, {"already_running": True, "addresses": addresses})

        up.send_signal(signal.SIGINT)
        _, said = up.communicate(timeout=90)

        assert up.returncode == 0
        assert "Stopped. The data stays" in said
        assert not _still_there([process["pid"] for process in status["processes"].values()])
    assert _run(home, "status")[0] == 3
    assert _run(home, "down") == (0, {"was_running": False})


def test_a_terminal_closed_while_it_starts_leaves_nothing_behind(home: Home) -> None:
    with _staying(home, "up") as up:
        wait_until(lambda: _pids(home), timeout_seconds=60)
        pids = _pids(home)
        up.send_signal(signal.SIGHUP)
        up.communicate(timeout=90)

        assert up.returncode == 130
        assert not _still_there(pids)
    assert not Stack(home).is_running()


def _pids(home: Home) -> list[int]:
    return [process.pid for process in Stack(home).status().processes.values() if process.pid]


@pytest.mark.parametrize(
    ("module", "said"),
    [
        ("raise OSError('no licence')", "OSError: no licence"),
        ("from tasks import task\n\n@task('shop.sell')\ndef sell(job): ...\n", "task=shop.sell"),
    ],
    ids=["cannot be imported", "declares badly"],
)
def test_a_module_of_tasks_that_is_unfit_is_told_before_anything_starts(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, said: str
) -> None:
    (tmp_path / "shop_tasks.py").write_text(module)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PARTYWALL_TASK_MODULES", "shop_tasks")
    with _partywall(home, "up") as process:
        _, told = process.communicate(timeout=60)

    assert (process.returncode, told.count("\n")) == (2, 1)
    assert said in told
    assert not home.postgres.exists()
