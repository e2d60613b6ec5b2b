"""What the stack keeps on disk, and who may read it."""

from pathlib import Path

import pytest

from cli.stack.home import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A fresh home."""
    home = Home(tmp_path / "home")
    home.create()
    return home


def test_passwords_and_addresses_are_readable_by_their_owner_only(home: Home) -> None:
    home.password("postgres")
    home.write_settings({"PARTYWALL_BROKER_URL": "redis://:secret@127.0.0.1:1/0"})

    assert _mode(home.root / "secrets.json") == 0o600
    assert _mode(home.env) == 0o600


def test_the_home_is_closed_to_others(home: Home) -> None:
    assert _mode(home.root) == 0o700
    assert {_mode(path) for path in home.root.iterdir() if path.is_dir()} == {0o700}


def test_a_password_is_the_same_in_the_next_run_and_differs_per_name(home: Home) -> None:
    first = home.password("worker")

    assert Home(home.root).password("worker") == first
    assert home.password("api") != first


def test_settings_are_read_back_as_written(home: Home) -> None:
    settings = {"PARTYWALL_API_PORT": "8400", "PARTYWALL_BROKER_URL": "redis://:a-b_c$d@127.0.0.1:1/0"}
    home.write_settings(settings)

    assert home.settings() == settings


def test_a_home_that_was_never_up_has_no_settings(tmp_path: Path) -> None:
    assert Home(tmp_path / "nowhere").settings() == {}


def test_git_ignores_the_home(home: Home) -> None:
    assert (home.root / ".gitignore").read_text() == "*\n"


def _mode(path: Path) -> int:
    return path.stat().st_mode & 0o777
