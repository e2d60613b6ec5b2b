"""A real RabbitMQ for tests: one node on the loopback interface, with a port mapper of its own."""

import json
import os
import secrets
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from amqp import Connection
from amqp.exceptions import AMQPError

from cli.stack.child import running_child
from cli.stack.ports import HOST, any_free_port
from tests.servers.missing import find_program

LOGIN = "partywall"
_ENVIRONMENT = "environment.json"

# Debian's /usr/sbin/rabbitmq-server turns root into the system's user and node; behind it is the script itself.
_BEHIND_DEBIANS_WRAPPER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


@contextmanager
def rabbitmq(directory: Path, *, port: int | None = None, password: str | None = None) -> Iterator[str]:
    """Run a broker while the block runs and yield its `amqp://` address. It keeps its files in `directory`.

    Give `port` and `password` to have another one, with another directory, at the address of one before.

    Raises:
        ServerMissingError: RabbitMQ is not installed.
    """
    home = directory / "rabbitmq"
    home.mkdir(mode=0o700)
    port, mapper_port = port or any_free_port(), any_free_port()
    password = password or secrets.token_hex(16)
    environment = _environment(home, port, mapper_port, password)
    (home / _ENVIRONMENT).write_text(json.dumps(environment))
    address = f"amqp://{LOGIN}:{password}@{HOST}:{port}//"
    with (
        running_child(
            # Every Erlang node needs one. Left to itself the node would start the machine's and leave it behind.
            "epmd",
            [find_program("epmd"), "-port", str(mapper_port), "-address", HOST],
            log=home / "epmd.log",
            is_ready=lambda: _listens(mapper_port),
            ready_within_seconds=10,
            environment=environment,
        ),
        running_child(
            "rabbitmq",
            [_program()],
            log=home / "rabbitmq.log",
            is_ready=lambda: _answers(port, password),
            ready_within_seconds=60,
            environment=environment,
            # No test needs what it holds after its end, and stopping in order takes seconds.
            stop_signals=(signal.SIGKILL,),
        ),
    ):
        yield address


def control(directory: Path, *words: str) -> None:
    """Tell the node that keeps its files in `directory` something, as its operator would."""
    environment = json.loads((directory / "rabbitmq" / _ENVIRONMENT).read_text())
    program = _BEHIND_DEBIANS_WRAPPER.with_name("rabbitmqctl")
    command = [program if program.exists() else "rabbitmqctl", *words]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)


def _program() -> str:
    wrapper = find_program("rabbitmq-server")
    return str(_BEHIND_DEBIANS_WRAPPER) if _BEHIND_DEBIANS_WRAPPER.exists() else wrapper


def _environment(home: Path, port: int, mapper_port: int, password: str) -> dict[str, str]:
    configuration = home / "rabbitmq.conf"
    configuration.write_text(
        f"listeners.tcp.tests = {HOST}:{port}\n"
        f"default_user = {LOGIN}\n"
        f"default_pass = {password}\n"
        "log.console = true\n"
        "log.console.level = warning\n"
        # The share of memory and disk it would like to keep free is the machine's business, not a test's.
        "vm_memory_high_watermark.relative = 0.9\n"
        "disk_free_limit.absolute = 1MB\n"
    )
    plugins = home / "enabled_plugins"
    plugins.write_text("[].\n")
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LC_ALL": "C.UTF-8",
        # Where Erlang keeps the cookie that lets nodes talk to each other.
        "HOME": str(home),
        "ERL_EPMD_PORT": str(mapper_port),
        "ERL_EPMD_ADDRESS": HOST,
        "RABBITMQ_NODENAME": f"partywall-{port}@localhost",
        "RABBITMQ_DIST_PORT": str(any_free_port()),
        "RABBITMQ_CONF_ENV_FILE": os.devnull,
        "RABBITMQ_CONFIG_FILE": str(configuration),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
        "RABBITMQ_MNESIA_BASE": str(home / "data"),
        "RABBITMQ_LOG_BASE": str(home / "log"),
        "RABBITMQ_LOGS": "-",
        # Replaces the script by the node, so that our signals reach the node.
        "RABBITMQ_ALLOW_INPUT": "1",
        "RABBITMQ_SERVER_START_ARGS": "-noinput",
        # Erlang's threads spin while they wait; the tests want those cores.
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
            "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none"
        ),
    }


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def _answers(port: int, password: str) -> bool:
    try:
        with Connection(f"{HOST}:{port}", userid=LOGIN, password=password, connect_timeout=5):
            return True
    except (OSError, AMQPError):
        return False
