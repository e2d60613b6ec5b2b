"""What `up` writes down for the commands beside it."""

from pathlib import Path

import pytest

from cli.stack.home import Home
from cli.stack.plan import Plan


def test_what_the_processes_are_told_about_tasks_is_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {
        "PARTYWALL_TASK_MODULES": "shop.tasks",
        "PARTYWALL_QUEUES": "default,slow",
        "PARTYWALL_RESULT_BACKEND_URL": "redis://127.0.0.1:1/0",
    }
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    home = Home(tmp_path / "home")
    home.create()

    assert told.items() <= Plan(home, durable=False).settings().items()


def test_a_relative_folder_is_written_down_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PARTYWALL_APP_SQL_FOLDER", "sql")
    home = Home(tmp_path / "home")
    home.create()

    assert Plan(home, durable=False).settings()["PARTYWALL_APP_SQL_FOLDER"] == str(tmp_path / "sql")
