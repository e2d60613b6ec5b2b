"""The embedded PostgreSQL."""

import os
from pathlib import Path

import psutil
import psycopg
import pytest

from cli.stack.errors import HomeUnusableError, ServerMissingError, StackStartError
from cli.stack.ports import any_free_port
from cli.stack.postgres import EmbeddedPostgres
from cli.stack.postgres_binaries import installed_versions


def _postgres(directory: Path) -> EmbeddedPostgres:
    return EmbeddedPostgres(directory / "data", any_free_port(), "secret", durable=False)


@pytest.mark.parametrize("version", [16, 18])
def test_the_data_outlive_a_restart_and_a_second_initialise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int
) -> None:
    monkeypatch.setenv("PARTYWALL_POSTGRES_VERSION", str(version))
    server = _postgres(tmp_path)
    server.initialise()
    with server.running(), psycopg.connect(server.admin_url()) as connection:
        connection.execute("create table kept as select 1 as row")
    monkeypatch.delenv("PARTYWALL_POSTGRES_VERSION")
    again = _postgres(tmp_path)
    again.initialise()

    with again.running(), psycopg.connect(again.admin_url()) as connection:
        assert connection.execute("select row from kept").fetchall() == [(1,)]
        assert connection.info.server_version // 10000 == version


def test_data_of_another_version_are_refused_with_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "PG_VERSION").write_text("16\n")
    monkeypatch.setenv("PARTYWALL_POSTGRES_VERSION", "18")

    with pytest.raises(HomeUnusableError, match="Unset PARTYWALL_POSTGRES_VERSION"):
        _postgres(tmp_path)


@pytest.mark.parametrize("asked", ["9", "newest"])
def test_a_version_that_is_not_installed_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    monkeypatch.setenv("PARTYWALL_POSTGRES_VERSION", asked)

    with pytest.raises(ServerMissingError, match=r"one of \[16, 18\]"):
        _postgres(tmp_path)


def test_an_initialise_that_was_cut_short_is_done_again(tmp_path: Path) -> None:
    (tmp_path / "data.new").mkdir()
    (tmp_path / "data.new" / "PG_VERSION").write_text("18\n")
    server = _postgres(tmp_path)
    server.initialise()

    with server.running(), psycopg.connect(server.admin_url()) as connection:
        assert connection.info.dbname == "partywall"


def test_files_of_somebody_else_are_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "letter").write_text("dear")

    with pytest.raises(HomeUnusableError, match="in the way"):
        _postgres(tmp_path).initialise()


@pytest.fixture(scope="module")
def server(module_path: Path) -> EmbeddedPostgres:
    """A cluster that is not running."""
    server = _postgres(module_path)
    server.initialise()
    return server


def _pid(server: EmbeddedPostgres) -> int:
    return int((server.data_dir / "postmaster.pid").read_text().splitlines()[0])


def test_it_asks_for_the_password(server: EmbeddedPostgres) -> None:
    with server.running(), pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.url("postgres", "wrong"))


def test_a_server_that_does_not_know_our_password_is_not_taken_for_ours(server: EmbeddedPostgres) -> None:
    stranger = EmbeddedPostgres(server.data_dir, server.port, "another")

    with server.running(), pytest.raises(StackStartError, match="refused the superuser"):
        stranger.wait_until_ready(5)


def test_it_never_runs_as_root(server: EmbeddedPostgres) -> None:
    with server.running():
        pid = _pid(server)

        assert psutil.Process(pid).uids().real != 0


def test_it_listens_on_the_loopback_interface_only(server: EmbeddedPostgres) -> None:
    with server.running():
        pid = _pid(server)
        listening = psutil.Process(pid).net_connections("all")

        assert {(found.laddr.ip, found.laddr.port) for found in listening} == {("127.0.0.1", server.port)}


def test_a_bind_parameter_does_not_reach_the_log_with_the_error_it_caused(server: EmbeddedPostgres) -> None:
    with server.running(), psycopg.connect(server.admin_url()) as connection:
        connection.execute("set log_min_duration_statement = 0")
        with pytest.raises(psycopg.errors.DivisionByZero):
            connection.execute("select %s::text, 1 / %s::int", ["the-token", 0])
    log = server.data_dir.with_name("data.log").read_text()

    assert "division by zero" in log
    assert "the-token" not in log


def test_another_programs_postgres_variables_do_not_lead_it_astray(
    server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"PGPORT": "1", "PGHOST": "nowhere", "PGDATA": "/nowhere", "PGSERVICE": "x"}.items():
        monkeypatch.setenv(name, value)

    with server.running():
        assert server.accepts_connections()


def test_nothing_is_left_when_the_block_is_over(server: EmbeddedPostgres) -> None:
    with server.running():
        pid = _pid(server)

    assert not psutil.pid_exists(pid)
    assert not (server.data_dir / "postmaster.pid").exists()


def test_a_port_that_is_taken_is_named_with_what_the_server_said(server: EmbeddedPostgres) -> None:
    second = EmbeddedPostgres(server.data_dir, server.port, "secret")

    with (
        server.running(),
        pytest.raises(StackStartError, match=r"lock file|Address already in use"),
        second.running(5),
    ):
        pass


def test_both_versions_are_in_the_wheel() -> None:
    assert set(installed_versions()) == {16, 18}
    assert all(os.access(path / "initdb", os.X_OK) for path in installed_versions().values())
