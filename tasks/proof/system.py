"""A running system: a dispatcher and a worker against one database and one broker, and jobs through them."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from db import jobs
from db.context import TenantContext
from db.jobs import JobRow, JobState
from db.roles import Role
from db.session import tenant_session
from tasks import producing
from tasks.proof.processes import Process, running, wait_until
from tasks.registry import PLATFORM_QUEUE
from tasks.settings import TaskSettings

READY_SECONDS = 60.0


class Tenant(Protocol):
    """Whoever has a context."""

    @property
    def context(self) -> TenantContext: ...


class System:
    """Starts processes with one environment and stops them with itself. Their logs are in `directory`."""

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        self.directory = directory
        self.environment = dict(environment)
        self.dispatcher: Process
        self.worker: Process
        self._processes = ExitStack()

    def start(self, name: str, *module: str, **environment: str) -> Process:
        """Start `python -m module...`."""
        return self._processes.enter_context(
            running(name, *module, directory=self.directory, environment=self.environment | environment)
        )

    def start_worker(self, *options: str, name: str = "worker", **environment: str) -> Process:
        """Start a stock Celery worker for every queue. It is ready when it wrote " ready.".

        Told to stop, it hands back what it runs at once; with `REMAP_SIGTERM=""` after its grace, as in production.
        """
        environment = {"REMAP_SIGTERM": "SIGQUIT", **environment}
        queues = ",".join([*TaskSettings.load().queue_names, PLATFORM_QUEUE])
        return self.start(
            name, "celery", "-A", "workers", "worker", "-E", "--without-gossip", "--without-mingle",
            "--loglevel=INFO", "-Q", queues, f"--hostname={name}@{self.directory.name}", *options,
            **environment,
        )  # fmt: skip

    def start_dispatcher(self, name: str = "dispatcher", **environment: str) -> Process:
        """Start a dispatcher. It runs when it wrote "agent_started"."""
        return self.start(name, "workers.dispatcher", **environment)

    def start_all(self, *worker_options: str) -> None:
        """Start a dispatcher and a worker; return when both run.

        Raises:
            ProcessEndedError: one of them did not come up; its last lines are in the hint.
        """
        self.dispatcher = self.start_dispatcher()
        self.worker = self.start_worker(*worker_options)
        self.dispatcher.wait_for_line("agent_started", timeout_seconds=READY_SECONDS)
        self.worker.wait_for_line(" ready.", timeout_seconds=READY_SECONDS)

    def stop(self) -> None:
        """Stop every process that was started."""
        self._processes.close()

    def enqueue(self, tenant: Tenant, task_name: str, payload: Any = None) -> UUID:
        """Accept a job as the API would."""
        with tenant_session(tenant.context, role=Role.API) as session:
            return producing.enqueue(session, task_name, {} if payload is None else payload)

    def wait(self, tenant: Tenant, job_id: UUID, *, timeout_seconds: float = 30) -> JobRow:
        """Return the tenant's job once it is over.

        Raises:
            NotInTimeError: it was not over in time.
        """

        def ended() -> JobRow | None:
            with tenant_session(tenant.context, role=Role.API) as session:
                job = jobs.get_job(session, job_id)
                session.expunge(job)
            return job if JobState(job.state).is_terminal else None

        job = wait_until(ended, timeout_seconds=timeout_seconds, what=f"job {job_id} is over")
        assert job is not None  # noqa: S101 - wait_until() returns true answers only
        return job

    def run(self, tenant: Tenant, task_name: str, payload: Any = None, *, timeout_seconds: float = 30) -> JobRow:
        """Run a job through dispatcher, broker and worker; return it once it is over."""
        return self.wait(tenant, self.enqueue(tenant, task_name, payload), timeout_seconds=timeout_seconds)
