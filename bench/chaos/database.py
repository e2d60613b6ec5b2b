"""The run's own PostgreSQL: durable, restarted by its immediate shutdown, and looked at as its superuser."""

import os
import signal
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from bench.server import PASSWORD
from cli.stack.ports import any_free_port
from cli.stack.postgres import EmbeddedPostgres
from db.bare_connection import bare_connection
from db.dsn import setting_name
from db.migrate import bootstrap, migrate
from db.roles import Role

APP_SQL = Path(__file__).parent / "sql"


_TERMINATE = """
    select pg_terminate_backend(pid) from pg_stat_activity
    where backend_type = 'client backend' and pid <> pg_backend_pid()
"""


_IN_TRANSACTION = """
    select client_port from pg_stat_activity
    where xact_start is not null and client_port > 0 and pid <> pg_backend_pid()
"""


class Database:
    """A PostgreSQL with the platform's schema and the table of effects."""

    def __init__(self, directory: Path) -> None:
        self.server = EmbeddedPostgres(directory / "postgres", any_free_port(), PASSWORD, durable=True)
        self._run = ExitStack()
        self._restarting = threading.Lock()
        self.admin_url = self.server.admin_url()

    @property
    def settings(self) -> Mapping[str, str]:
        """What leads every role here."""
        return {setting_name(role): self.server.url(role.login, PASSWORD) for role in Role}

    def start(self) -> None:
        """Make the cluster, start it and migrate. The setting of the folder of SQL has to stand already."""
        self.server.initialise()
        self._run.enter_context(self.server.running())
        bootstrap(self.admin_url, logins=dict.fromkeys(Role, PASSWORD))
        migrate(self.server.url(Role.MIGRATOR.login, PASSWORD))

    def stop(self) -> None:
        """Return when it is gone."""
        self._run.close()

    def restart(self) -> None:
        """Let it drop everything, recover from its log, and return when it takes connections again."""
        with self._restarting:
            postmaster = int((self.server.data_dir / "postmaster.pid").read_text().split()[0])
            os.kill(postmaster, signal.SIGQUIT)
            self._run.close()
            self._run.enter_context(self.server.running())

    def terminate_backends(self) -> int:
        """End every session but this one; return how many those were. None while it restarts.

        A restart asks through a session of its own whether the server is there, and takes its end for a failed start.
        """
        if not self._restarting.acquire(blocking=False):
            return 0
        try:
            return len(self._ask(_TERMINATE, {}))
        finally:
            self._restarting.release()

    def ports_in_transaction(self) -> set[int]:
        """Return the clients' ports of all sessions that are in a transaction."""
        return {row.client_port for row in self._ask(_IN_TRANSACTION, {})}

    def ask(self, query: str, **parameters: Any) -> Sequence[Any]:
        """Return the rows of a query of the superuser, who sees every tenant. Asked again once if it breaks off."""
        try:
            return self._ask(query, parameters)
        except DBAPIError:
            with self._restarting:
                return self._ask(query, parameters)

    def do(self, *statements: str) -> None:
        """Execute statements as the superuser, in one transaction."""
        with bare_connection(self.admin_url) as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)
            connection.commit()

    def _ask(self, query: str, parameters: Mapping[str, Any]) -> Sequence[Any]:
        with bare_connection(self.admin_url, timeout_seconds=10) as connection:
            rows = connection.execute(text(query), parameters).all()
            connection.commit()
            return rows
