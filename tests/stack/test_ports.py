"""Ports that are free, and stay the same."""

import socket
from pathlib import Path

import pytest

from cli.stack import ports
from cli.stack.ports import PortBook, any_free_port, is_free
from cli.stack.private_file import write_private_json


def _listen(address: str) -> socket.socket:
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((address, 0))
    server.listen()
    return server


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])  # noqa: S104 - it must be seen there, too
def test_a_port_somebody_listens_on_is_not_free(address: str) -> None:
    with _listen(address) as server:
        port = server.getsockname()[1]

        assert not is_free(port)
    assert is_free(port)


def test_a_busy_preferred_port_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with _listen("127.0.0.1") as server:
        monkeypatch.setitem(ports.PREFERRED, "api", server.getsockname()[1])
        claimed = PortBook(tmp_path / "ports.json").claim("api")

        assert claimed != server.getsockname()[1]
        assert is_free(claimed)


def test_a_restart_keeps_its_ports(tmp_path: Path) -> None:
    first = [PortBook(tmp_path / "ports.json").claim(name) for name in ("postgres", "broker", "other")]
    second = [PortBook(tmp_path / "ports.json").claim(name) for name in ("postgres", "broker", "other")]

    assert first == second


def test_a_port_of_the_last_run_that_is_busy_now_is_given_up(tmp_path: Path) -> None:
    with _listen("127.0.0.1") as server:
        write_private_json(tmp_path / "ports.json", {"other": server.getsockname()[1]})
        claimed = PortBook(tmp_path / "ports.json").claim("other")

        assert is_free(claimed)


def test_two_processes_never_share_a_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = any_free_port()
    monkeypatch.setattr(ports, "PREFERRED", {"api": port, "flower": port})
    book = PortBook(tmp_path / "ports.json")

    assert book.claim("api") == port
    assert book.claim("flower") != port


def test_no_preferred_port_is_a_standard_one() -> None:
    assert not {5432, 6379, 5672, 8000, 8080} & set(ports.PREFERRED.values())
