"""Running `partywall` as a person or a script would."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool
from typer.testing import CliRunner, Result

from cli.main import app
from cli.stack.broker import Broker
from cli.stack.postgres import EmbeddedPostgres
from db.dsn import plain_url
from db.engine import dispose_engines
from db.roles import Role
from tests.databases import Database, drop
from tests.db.conftest import database as database
from tests.db.conftest import kept_database as kept_database
from tests.db.conftest import own_database as own_database

ROOT = Path(__file__).resolve().parents[2]

Run = Callable[..., Result]
Start = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def partywall() -> Run:
    """A function that runs a command in this process, with the settings as they are at that moment."""

    def run(*arguments: object, input: str | None = None) -> Result:
        dispose_engines()
        try:
            return CliRunner().invoke(app, [str(each) for each in arguments], input=input)
        finally:
            dispose_engines()

    return run


@pytest.fixture
def partywall_process() -> Start:
    """A function that runs a command as a process of its own: what a shell gets to see."""

    def run(*arguments: object, **settings: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-c", "from cli.main import app; app()", *map(str, arguments)],
            cwd=ROOT,
            env=os.environ | settings,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.fixture
def broker_setting(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """The setting points at the test broker."""
    monkeypatch.setenv("PARTYWALL_BROKER_URL", broker.url)


@pytest.fixture
def empty_database(postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A database that nobody has bootstrapped or migrated; every setting points at it, the administrator's too."""
    made = Database(server=postgres, name=f"empty_{os.getpid()}")
    _create(made.server, made.name)
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PARTYWALL_ADMIN_DATABASE_URL", made.admin_url)
    yield made
    drop(made)


def _create(server: EmbeddedPostgres, name: str) -> None:
    engine = create_engine(plain_url(server.admin_url("postgres")), poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"create database {name}")


def point(monkeypatch: pytest.MonkeyPatch, role: Role, url: str) -> None:
    """Set the role's DSN."""
    monkeypatch.setenv(f"PARTYWALL_{role.value.upper()}_DATABASE_URL", url)


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]
