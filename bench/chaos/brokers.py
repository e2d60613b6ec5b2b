"""The two kinds of broker: each can be emptied, and killed and started again with nothing, at the same address."""

import os
import secrets
import shutil
import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import redis
from amqp import Connection
from amqp.exceptions import AMQPError, NotFound

from cli.stack.broker import Broker
from cli.stack.child import running_child
from cli.stack.ports import any_free_port
from tasks.proof.processes import PROJECT
from tasks.urgency import STEPS
from tests.servers.rabbitmq import LOGIN, rabbitmq


class BrokerDownError(Exception):
    """The broker could not be asked."""


class AnyBroker(Protocol):
    """A broker. Its files are gone with it: it starts with nothing."""

    @property
    def url(self) -> str: ...

    def running(self) -> AbstractContextManager[None]: ...

    def empty(self) -> None: ...

    def waiting(self, queue: str) -> int: ...


def lists_of(queue: str) -> list[str]:
    """Return the lists in which kombu keeps a queue on Redis, one for each priority."""
    return [queue if step == 0 else f"{queue}\x06\x16{step}" for step in STEPS]


class RedisBroker:
    """A Redis, or what the machine has of its family."""

    def __init__(self, directory: Path) -> None:
        self._broker = Broker(directory / "broker", any_free_port(), secrets.token_urlsafe(16))
        self._log = directory / "broker.log"
        self.url = self._broker.url

    @contextmanager
    def running(self) -> Iterator[None]:
        """Serve while the block runs; it ends with KILL."""
        shutil.rmtree(self._broker.directory, ignore_errors=True)
        self._broker.initialise()
        with running_child(
            "broker",
            self._broker.command(),
            log=self._log,
            is_ready=self._broker.answers,
            ready_within_seconds=30,
            environment=os.environ | {"PYTHONPATH": str(PROJECT)},
            stop_signals=(signal.SIGKILL,),
        ):
            yield

    def empty(self) -> None:
        """FLUSHALL.

        Raises:
            BrokerDownError: it did not answer.
        """
        self._ask("FLUSHALL")

    def waiting(self, queue: str) -> int:
        """Return how many messages wait in the queue, or are with a worker.

        Raises:
            BrokerDownError: it did not answer.
        """
        return sum(self._ask("LLEN", each) for each in lists_of(queue)) + self._ask("HLEN", "unacked")

    def _ask(self, *command: str) -> int:
        client = redis.Redis.from_url(self.url, socket_timeout=5, socket_connect_timeout=2)
        try:
            answer: int = client.execute_command(*command)  # type: ignore[no-untyped-call]
        except redis.RedisError as error:
            raise BrokerDownError from error
        finally:
            client.close()
        return answer


class RabbitBroker:
    """A RabbitMQ of one node."""

    def __init__(self, directory: Path, queue: str) -> None:
        self._directory = directory / "rabbitmq-runs"
        self._directory.mkdir()
        self._queue = queue
        self._port = any_free_port()
        self._password = secrets.token_hex(16)
        self._runs = 0
        self.url = f"amqp://{LOGIN}:{self._password}@127.0.0.1:{self._port}//"

    @property
    def home(self) -> Path:
        """Where the node that runs keeps its files."""
        return self._directory / str(self._runs)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Serve while the block runs; it ends with KILL."""
        self._runs += 1
        self.home.mkdir()
        with rabbitmq(self.home, port=self._port, password=self._password):
            yield

    def empty(self) -> None:
        """Purge the queue.

        Raises:
            BrokerDownError: it did not answer.
        """
        with self._connected() as connection, suppress(NotFound):
            connection.channel().queue_purge(self._queue)

    def waiting(self, queue: str) -> int:
        """Return how many messages wait in the queue.

        Raises:
            BrokerDownError: it did not answer.
        """
        with self._connected() as connection, suppress(NotFound):
            declared: Any = connection.channel().queue_declare(queue, passive=True)
            return int(declared.message_count)
        return 0

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        address = urlsplit(self.url)
        try:
            with Connection(
                f"{address.hostname}:{address.port}",
                userid=LOGIN,
                password=self._password,
                connect_timeout=5,
                read_timeout=10,
            ) as connection:
                yield connection
        except (OSError, AMQPError) as error:
            raise BrokerDownError from error


class RestartedBroker:
    """A broker that runs until it is stopped, and can be started again: with nothing."""

    def __init__(self, broker: AnyBroker) -> None:
        self.broker = broker
        self._run = ExitStack()

    def start(self) -> None:
        """Return when it serves."""
        self._run.enter_context(self.broker.running())

    def stop(self) -> None:
        """Kill it."""
        self._run.close()

    def restart(self) -> None:
        """Kill it and return when another serves in its place."""
        self.stop()
        self.start()
