"""A producer, a dispatcher and a worker of one database, each on a connection of its own, one call at a time."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine

from bench.contenders import backend_pid
from bench.finished import BIGGEST
from bench.server import PASSWORD
from cli.stack.postgres import EmbeddedPostgres
from db import accepting, attempts, dispatching, steering
from db.attempts import Attempt, WorkerIdentity
from db.context import TenantContext
from db.dispatching import Dispatched
from db.engine import ONE_STATEMENT, TENANT, build_engine, disown
from db.jobs import JobState
from db.roles import Role
from db.rows import uuid7
from db.session import become
from db.settings import DatabaseSettings
from db.tenants import open_tenant

TASK = "bench.work"
BACKLOG = 200
IN_FLIGHT = 50
LOCK_TIMEOUT = "10ms"
"""Whoever waits longer for a lock gets an error instead."""
_LONG = 3600.0


@dataclass
class Hands:
    """What each does, in a life's order: enqueue, dispatch, claim, finish."""

    producer: Connection
    dispatcher: Connection
    claimer: Connection
    worker: Connection
    operator: Connection
    pruner: Connection
    identity: WorkerIdentity = field(default_factory=lambda: WorkerIdentity(uuid7(), "bench@here/1"))
    dispatched: deque[Dispatched] = field(default_factory=deque)
    claimed: deque[Attempt] = field(default_factory=deque)

    @property
    def calls(self) -> Mapping[str, tuple[Callable[[], object], Connection]]:
        """Each call by its name, with the connection it is made on."""
        return {
            "enqueue": (self.enqueue, self.producer),
            "dispatch": (self.dispatch, self.dispatcher),
            "claim": (self.claim, self.claimer),
            "finish": (self.finish, self.worker),
            "retry by filter": (self.retry_by_filter, self.operator),
        }

    @property
    def backend_pids(self) -> list[int]:
        """The processes at the other ends."""
        return [backend_pid(connection) for _, connection in self.calls.values()]

    def have_a_backlog(self) -> None:
        """Let jobs wait in PostgreSQL and at the broker, as they do where it is busy."""
        for _ in range(BACKLOG + IN_FLIGHT):
            self.enqueue()
        for _ in range(IN_FLIGHT):
            self.dispatch()

    def enqueue(self) -> None:
        """Accept a job."""
        accepting.accept(self.producer, task_name=TASK, payload={"number": 1}, queue="default", max_attempts=3)
        self.producer.commit()

    def dispatch(self) -> None:
        """Take the next job out of the backlog."""
        self.dispatched += dispatching.dispatch(
            self.dispatcher,
            queues=["default"],
            known_tasks=[TASK],
            batch_limit=1,
            in_flight_limit=10_000,
            resend_after_seconds=_LONG,
        )

    def claim(self) -> None:
        """Start the job that has been dispatched for longest."""
        job = self.dispatched.popleft()
        self.claimed += attempts.claim(
            self.claimer,
            tenant_id=job.tenant_id,
            job_ids=[job.job_id],
            nonce=job.nonce,
            task_name=job.task_name,
            worker=self.identity,
            lease_seconds=_LONG,
            lifetime_seconds=_LONG,
        )

    def finish(self) -> None:
        """Let the attempt that has run for longest succeed."""
        become(self.worker, self.claimed.popleft().context)
        attempts.fence(self.worker)
        attempts.finish(self.worker, result=None)

    def retry_by_filter(self) -> None:
        """Ask for jobs to be tried again of which there are none."""
        steering.retry_jobs(self.operator, state=JobState.EXPIRED, limit=1)

    def prune(self, *, limit: int) -> int:
        """Delete jobs of the tenant that are past its retention, in one transaction; return how many."""
        pruned = steering.prune_jobs(self.pruner, limit=limit)
        self.pruner.commit()
        return pruned


@contextmanager
def hands_on(server: EmbeddedPostgres, database: str, *, slug: str = BIGGEST) -> Iterator[Hands]:
    """Open the connections while the block runs; the producer's jobs are those of one tenant."""
    with ExitStack() as stack:
        opened: dict[Role, Engine] = {}

        def connect(role: Role, context: TenantContext | None = None, *, one_statement: bool = True) -> Connection:
            if role not in opened:
                url = server.url(role.login, PASSWORD, database)
                opened[role] = build_engine(url, settings=DatabaseSettings.load(), application_name="partywall-bench")
                stack.callback(opened[role].dispose)
            options: dict[str, Any] = {TENANT: context, ONE_STATEMENT: one_statement}
            connection = opened[role].execution_options(**options).connect()
            stack.callback(_close, connection)
            connection.exec_driver_sql(f"set lock_timeout = '{LOCK_TIMEOUT}'")
            connection.commit()
            return connection

        operator = connect(Role.OPERATOR)
        context = open_tenant(operator, slug)
        yield Hands(
            producer=connect(Role.API, context, one_statement=False),
            dispatcher=connect(Role.DISPATCHER),
            claimer=connect(Role.WORKER),
            worker=connect(Role.WORKER),
            operator=operator,
            pruner=connect(Role.WORKER, context, one_statement=False),
        )


def _close(connection: Connection) -> None:
    disown(connection)
    connection.close()
