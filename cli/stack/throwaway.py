"""Servers for one run: a PostgreSQL, migrated, and a broker, in a directory that is gone afterwards.

As a program, `python -m cli.stack.throwaway`, it serves whoever started it: it writes one line of JSON, the settings
that lead to the servers, and stops them when its standard input is closed. So they end with their user, however that
ends.
"""

import json
import os
import secrets
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from cli.interruption import interrupted_once
from cli.stack.broker import Broker
from cli.stack.home import Home
from cli.stack.own_servers import ADMIN_VARIABLE, BROKER_VARIABLE, RESULT_BACKEND_VARIABLE, OwnServers
from cli.stack.ports import any_free_port
from cli.stack.postgres import EmbeddedPostgres
from db import migrate
from db.dsn import setting_name
from db.roles import Role
from db.settings import home

OnStep = Callable[[str], None]


def given_servers() -> OwnServers:
    """Return the servers that the environment names. Those of a stack that `partywall up` runs from here are not."""
    return OwnServers.given(os.environ, Home(home()).settings())


@contextmanager
def throwaway_servers(given: OwnServers, on_step: OnStep) -> Iterator[Mapping[str, str]]:
    """Run a server for each kind that is not given, and yield the settings that lead to them.

    Raises:
        StackStartError, ServerMissingError: one could not be started.
        MigrationFailedError, WallBrokenError: the adopter's tables could not be made, or are not behind the wall.
    """
    settings: dict[str, str] = {}
    with ExitStack() as stack:
        directory = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="partywall-", ignore_cleanup_errors=True))
        )
        if not given.databases:
            settings |= stack.enter_context(_database(directory, on_step))
        if given.broker is None:
            broker = Broker(directory / "broker", any_free_port(), secrets.token_urlsafe(16))
            # Chords are run, too. A backend of your own gets nothing of what a run is made of.
            settings |= dict.fromkeys(
                (BROKER_VARIABLE, RESULT_BACKEND_VARIABLE), stack.enter_context(broker.running()).url
            )
            on_step(f"a broker is running ({broker.kind.value})")
        yield settings


@contextmanager
def _database(directory: Path, on_step: OnStep) -> Iterator[Mapping[str, str]]:
    password = secrets.token_urlsafe(16)
    server = EmbeddedPostgres(directory / "postgres", any_free_port(), password, durable=False)
    server.initialise()
    with server.running():
        on_step(f"PostgreSQL {server.version} is running")
        migrate.bootstrap(server.admin_url(), logins=dict.fromkeys(Role, password))
        migrate.migrate(server.url(Role.MIGRATOR.login, password))
        on_step("its schema is that of this code")
        dsns = {setting_name(role): server.url(role.login, password) for role in Role}
        yield {**dsns, ADMIN_VARIABLE: server.admin_url()}


def main() -> None:
    """Serve until standard input is closed."""
    with (
        interrupted_once(),
        throwaway_servers(given_servers(), lambda step: print(step, file=sys.stderr, flush=True)) as settings,
    ):
        print(json.dumps(settings), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
