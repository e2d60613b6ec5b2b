"""A running system for tests: a database, a broker, a dispatcher and a worker, each a process of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import pytest

from cli.stack.broker import Broker
from cli.stack.ports import any_free_port
from cli.stack.postgres import EmbeddedPostgres
from db import jobs
from db.engine import dispose_engines
from db.jobs import JobRow, JobState
from db.roles import Role
from db.session import tenant_session
from tasks import producing
from tests.databases import PASSWORD, Database, TestTenant, clone, drop
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Process:
    """One process of the system and what it wrote."""

    popen: "subprocess.Popen[bytes]"
    log: Path

    def output(self) -> str:
        """All that it wrote so far."""
        return self.log.read_text(errors="replace")

    def wait_for_line(self, text: str, *, timeout_seconds: float = 30) -> None:
        """Return when it wrote `text`; fail when it ended or did not in time."""

        def said() -> bool:
            if text in self.output():
                return True
            assert self.popen.poll() is None, f"ended with {self.popen.returncode}:\n{self.output()}"
            return False

        wait_until(said, timeout_seconds=timeout_seconds, what=f"{text!r} in {self.log.name}:\n{self.output()}")


class AnyBroker(Protocol):
    """A broker that a site can run: Redis, or another that Celery knows. Its address is known while it runs."""

    @property
    def url(self) -> str: ...

    def running(self) -> AbstractContextManager[Any]: ...


class Site:
    """Starts processes against one database and broker, and runs jobs through them."""

    def __init__(self, database: Database, broker: AnyBroker, directory: Path, *, task_modules: str) -> None:
        self.database = database
        self.broker = broker
        self.directory = directory
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PARTYWALL_")},
            **database.environment,
            "PARTYWALL_HOME": str(directory / "no-home"),
            "PARTYWALL_TASK_MODULES": task_modules,
            "PYTHONUNBUFFERED": "1",
        }
        self.worker: Process
        self.dispatcher: Process
        self._stack = ExitStack()
        self._broker = ExitStack()

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

        The broker is a Redis where no other is given. `declared_here` False leaves the tasks to the processes; this one
        then cannot check payloads.
        """
        broker = broker or Broker(directory / "broker", any_free_port(), PASSWORD)
        database = clone(postgres, f"site_{name}")
        with ExitStack() as stack:
            patch = stack.enter_context(pytest.MonkeyPatch.context())
            for variable, value in database.environment.items():
                patch.setenv(variable, value)
            for module in task_modules.split(",") if declared_here else []:
                import_module(module)
            dispose_engines()
            stack.callback(drop, database)
            stack.callback(dispose_engines)
            site = cls(database, broker, directory, task_modules=task_modules)
            stack.callback(site._broker.close)
            site._broker.enter_context(broker.running())
            site.environment["PARTYWALL_BROKER_URL"] = broker.url
            stack.callback(site._stack.close)
            yield site

    def start(self, name: str, *command: str, **environment: str) -> Process:
        """Start `python -m command...`; it is stopped with the site."""
        return self._stack.enter_context(self._running(name, command, environment))

    def start_worker(self, *options: str, name: str = "worker", **environment: str) -> Process:
        """Start a stock Celery worker. It is ready when it wrote " ready."."""
        return self.start(
            name, "celery", "-A", "workers", "worker", "-E", "--without-gossip", "--without-mingle",
            "--loglevel=INFO", "-Q", "default,platform", f"--hostname={name}@test", *options,
            REMAP_SIGTERM="SIGQUIT", **environment,
        )  # fmt: skip

    def start_dispatcher(self, name: str = "dispatcher") -> Process:
        """Start a dispatcher. It runs when it wrote "agent_started"."""
        return self.start(name, "workers.dispatcher")

    def start_all(self, *worker_options: str) -> None:
        """Start a dispatcher and a worker; return when both run."""
        self.dispatcher = self.start_dispatcher()
        self.worker = self.start_worker(*worker_options)
        self.dispatcher.wait_for_line("agent_started")
        self.worker.wait_for_line(" ready.")

    @contextmanager
    def _running(self, name: str, command: tuple[str, ...], environment: dict[str, str]) -> Iterator[Process]:
        log = self.directory / f"{name}.log"
        with log.open("ab") as output:
            popen = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=ROOT,
                env=self.environment | environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            yield Process(popen, log)
        finally:
            _stop(popen)

    def enqueue(self, tenant: TestTenant, task_name: str, payload: Any = None) -> UUID:
        """Accept a job as the API would."""
        with tenant_session(tenant.context, role=Role.API) as session:
            return producing.enqueue(session, task_name, payload or {})

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

    def wait(self, tenant: TestTenant, job_id: UUID, *, timeout_seconds: float = 30) -> JobRow:
        """Return the job once it is over."""

        def ended() -> JobRow | None:
            with tenant_session(tenant.context, role=Role.API) as session:
                job = jobs.get_job(session, job_id)
                session.expunge(job)
            return job if JobState(job.state).is_terminal else None

        job = wait_until(ended, timeout_seconds=timeout_seconds, what=f"job {job_id} is over")
        assert job is not None
        return job

    def run(self, tenant: TestTenant, task_name: str, payload: Any = None) -> JobRow:
        """Run a job through dispatcher, broker and worker; return it once it is over."""
        return self.wait(tenant, self.enqueue(tenant, task_name, payload))


def _stop(popen: "subprocess.Popen[bytes]") -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        if popen.poll() is None:
            # The whole session, so that a killed main leaves no child behind.
            os.killpg(popen.pid, number)
        try:
            popen.wait(timeout=15)
        except subprocess.TimeoutExpired:
            continue
        break
    try:
        os.killpg(popen.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
