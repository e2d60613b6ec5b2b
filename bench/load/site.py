"""The run's own servers: a PostgreSQL that waits for its disk, and a broker. Every role and process is led there."""

import os
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
from sqlalchemy import Connection, text

from bench.load.processor import cpu_seconds_of
from bench.server import PASSWORD, forget_settings, point_roles_at, running_server
from cli.stack.broker import Broker
from cli.stack.ports import any_free_port
from cli.stack.postgres import EmbeddedPostgres
from db.bare_connection import bare_connection
from db.engine import dispose_engines
from db.roles import Role

APP_SQL = Path(__file__).parent / "sql"
TASKS = "bench.load.tasks"


@dataclass(frozen=True)
class Site:
    """Where everything of a run is."""

    server: EmbeddedPostgres
    broker: Broker
    directory: Path
    """Of the processes' logs."""
    _superuser: Connection

    def broker_url(self, number: int) -> str:
        """Return the address of one of the broker's databases: no system finds another's keys in its own."""
        return f"{self.broker.url.rpartition('/')[0]}/{number}"

    def role_url(self, role: Role) -> str:
        """Return where a role logs in."""
        return self.server.url(role.login, PASSWORD)

    def ask(self, query: str, **parameters: Any) -> Sequence[Any]:
        """Return the rows of a query of the superuser, who sees every tenant."""
        rows = self._superuser.execute(text(query), parameters).all()
        self._superuser.commit()
        return rows

    def do(self, *statements: str) -> None:
        """Execute statements as the superuser, in one transaction."""
        for statement in statements:
            self._superuser.exec_driver_sql(statement)
        self._superuser.commit()

    def cpu_seconds(self) -> float:
        """Return how long both servers have worked so far."""
        postmaster = int((self.server.data_dir / "postmaster.pid").read_text().split()[0])
        with closing(redis.Redis.from_url(self.broker.url)) as client:
            its: Any = client.info("cpu")
        return cpu_seconds_of(postmaster) + float(its["used_cpu_user"]) + float(its["used_cpu_sys"])

    def wal_bytes(self) -> int:
        """Return how much was ever written to the log."""
        return int(self.ask("select pg_current_wal_insert_lsn() - '0/0'::pg_lsn")[0][0])


@contextmanager
def running_site() -> Iterator[Site]:
    """Serve while the block runs."""
    dispose_engines()
    forget_settings()
    os.environ |= {"PARTYWALL_TASK_MODULES": TASKS, "PARTYWALL_APP_SQL_FOLDER": str(APP_SQL)}
    with tempfile.TemporaryDirectory(prefix="partywall-load-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        os.environ["PARTYWALL_HOME"] = str(directory / "no-home")
        broker = Broker(directory / "broker", any_free_port(), secrets.token_urlsafe(16))
        with (
            running_server(roomy=True) as server,
            broker.running(),
            bare_connection(server.admin_url()) as superuser,
        ):
            point_roles_at({role: server.url(role.login, PASSWORD) for role in Role})
            try:
                yield Site(server, broker, directory, superuser)
            finally:
                dispose_engines()
