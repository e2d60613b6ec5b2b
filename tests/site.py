"""A running system for tests: a database, a broker, a dispatcher and a worker, each a process of its own."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from cli.stack.postgres import EmbeddedPostgres
from db.roles import Role
from db.session import tenant_session
from tasks import producing
from tasks.proof.processes import Process as Process
from tasks.proof.system import System
from tests.databases import Database, TestTenant, clone, drop, in_use
from tests.servers.brokers import broker_of_the_run
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parent.parent


class AnyBroker(Protocol):
    """A broker that a site can run: Redis, or another that Celery knows. Its address is known while it runs."""

    @property
    def url(self) -> str: ...

    def running(self) -> AbstractContextManager[Any]: ...


class Site(System):
    """A system with a database and a broker of its own."""

    def __init__(self, database: Database, broker: AnyBroker, directory: Path, *, task_modules: str) -> None:
        self.database = database
        self.broker = broker
        self._broker = ExitStack()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PARTYWALL_")}
        settings = {"PARTYWALL_HOME": str(directory / "no-home"), "PARTYWALL_TASK_MODULES": task_modules}
        super().__init__(directory, environment | database.environment | settings)

    @classmethod
    @contextmanager
    def running(
        cls,
        postgres: EmbeddedPostgres,
        directory: Path,
        *,
        task_modules: str,
        name: str,
        broker: AnyBroker | None = None,
        declared_here: bool = True,
    ) -> Iterator["Site"]:
        """Make a database and a broker of its own, point this process's settings at them, and clean up after.

        The broker is that of the run where no other is given. `declared_here` False leaves the tasks to the processes;
        this one then cannot check payloads.
        """
        broker = broker or broker_of_the_run(directory)
        database = clone(postgres, f"site_{name}")
        with ExitStack() as stack:
            for module in task_modules.split(",") if declared_here else []:
                import_module(module)
            stack.callback(drop, database)
            stack.enter_context(in_use(database))
            site = cls(database, broker, directory, task_modules=task_modules)
            stack.callback(site._broker.close)
            site._broker.enter_context(broker.running())
            site.environment["PARTYWALL_BROKER_URL"] = broker.url
            stack.callback(site.stop)
            yield site

    def take_for_short(self, task_name: str) -> None:
        """Let a task be known to take no time, so that much of it is handed to the broker at once."""
        # What has just ended would be measured afterwards.
        charged = "select count(*) from partywall_private.charges"
        wait_until(lambda: self.database.ask(charged) == [(0,)], timeout_seconds=20)
        self.database.do("delete from partywall_private.run_times where task_name = :task", task=task_name)
        self.database.do(
            "insert into partywall_private.run_times (task_name, seconds, samples) values (:task, 0.001, 1000)",
            task=task_name,
        )

    def enqueue_later(self, tenant: TestTenant, task_name: str) -> UUID:
        """Accept a job that is due tomorrow."""
        with tenant_session(tenant.context, role=Role.API) as session:
            return producing.enqueue(session, task_name, {}, run_at=datetime.now(UTC) + timedelta(days=1))

    @contextmanager
    def without_broker(self) -> Iterator[None]:
        """Kill the broker while the block runs; start it again on the same port after."""
        self._broker.close()
        try:
            yield
        finally:
            self._broker.enter_context(self.broker.running())
