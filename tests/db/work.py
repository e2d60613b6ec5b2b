"""Short ways to a job in the state a test starts from, through the roles that may."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from db import accepting, attempts, dispatching, jobs
from db.accepting import Wishes
from db.attempts import Attempt, WorkerIdentity
from db.dispatching import Dispatched, ExpiredLease
from db.roles import Role
from db.session import become, platform_connection, tenant_session
from db.tenants import suspend_tenant
from tests.databases import Database, TestTenant

TASK = "notes.write"
TESTS = WorkerIdentity(UUID("01990000-0000-7000-8000-000000000001"), "tests@here/1")
WRITE = text("insert into app.notes (body) values ('an effect')")


def enqueue_one(
    tenant: TestTenant,
    *,
    payload: Any = None,
    max_attempts: int = 3,
    run_at: datetime | None = None,
    task_name: str = TASK,
    queue: str = "default",
    priority: int = 0,
) -> UUID:
    """Return the id of a job that the tenant's producer enqueued."""
    with tenant_session(tenant.context, role=Role.API) as session:
        return accepting.accept(
            session,
            task_name=task_name,
            payload={} if payload is None else payload,
            queue=queue,
            max_attempts=max_attempts,
            wishes=Wishes(run_at=run_at, priority=priority),
        ).job_id


def dispatch_all(
    *queues: str,
    known_tasks: Sequence[str] | None = None,
    arrivals: Sequence[str] | None = None,
    batch_limit: int = 100,
    in_flight_limit: int = 1000,
    resend_after: float = 60,
    **more: Any,
) -> list[Dispatched]:
    """Return what the dispatcher would send now, of the queue `default` if none is named.

    It looks at every tenant unless `arrivals` says what is new.
    """
    with platform_connection(Role.DISPATCHER) as connection:
        return dispatching.dispatch(
            connection,
            queues=queues or ["default"],
            known_tasks=known_tasks,
            arrivals=arrivals,
            batch_limit=batch_limit,
            in_flight_limit=in_flight_limit,
            resend_after_seconds=resend_after,
            **more,
        )


def claim_of(
    message: Dispatched,
    *,
    lease_seconds: float = 60,
    lifetime_seconds: float | None = None,
    worker: WorkerIdentity = TESTS,
) -> list[Attempt]:
    """Return what a worker that received the message may run; for no longer than the lease if nothing else is said."""
    with platform_connection(Role.WORKER) as connection:
        return attempts.claim(
            connection,
            tenant_id=message.tenant_id,
            job_ids=[message.job_id],
            nonce=message.nonce,
            task_name=message.task_name,
            worker=worker,
            lease_seconds=lease_seconds,
            lifetime_seconds=lease_seconds if lifetime_seconds is None else lifetime_seconds,
        )


def finish_all(sent: Sequence[Dispatched], *, of: TestTenant | None = None) -> None:
    """Claim what was sent, and let what belongs to a tenant, or all, succeed; the rest goes on running."""
    for nonce in dict.fromkeys(message.nonce for message in sent):
        bundle = [message for message in sent if message.nonce == nonce]
        with platform_connection(Role.WORKER) as connection:
            claimed = attempts.claim(
                connection,
                tenant_id=bundle[0].tenant_id,
                job_ids=[message.job_id for message in bundle],
                nonce=nonce,
                task_name=bundle[0].task_name,
                worker=TESTS,
                lease_seconds=60,
                lifetime_seconds=60,
            )
        for attempt in claimed:
            if of is None or bundle[0].tenant_id == of.id:
                with body_of(attempt) as connection:
                    attempts.finish(connection, result=None)


def claim_one(tenant: TestTenant, *, lease_seconds: float = 60) -> Attempt:
    """Return the attempt of the one job of the tenant that is ready."""
    (message,) = [message for message in dispatch_all() if message.tenant_id == tenant.id]
    (attempt,) = claim_of(message, lease_seconds=lease_seconds)
    return attempt


def start_one(tenant: TestTenant, *, lease_seconds: float = 60, max_attempts: int = 3) -> Attempt:
    """Return the running attempt of a new job."""
    enqueue_one(tenant, max_attempts=max_attempts)
    return claim_one(tenant, lease_seconds=lease_seconds)


@contextmanager
def body_of(attempt: Attempt) -> Iterator[Connection]:
    """Open the connection that the attempt's body would have: the tenant's, and fenced."""
    with platform_connection(Role.WORKER) as connection:
        become(connection, attempt.context)
        attempts.fence(connection)
        yield connection


def job_of(tenant: TestTenant, job_id: UUID) -> jobs.JobRow:
    """Return the job as its tenant sees it."""
    with tenant_session(tenant.context, role=Role.API) as session:
        job = jobs.get_job(session, job_id)
        session.expunge(job)
        return job


def effects(database: Database) -> int:
    """Return how many notes were kept."""
    ((count,),) = database.ask("select count(*) from app.notes")
    return int(str(count))


def expire(limit: int = 100) -> list[ExpiredLease]:
    """Return what the reaper takes back now."""
    with platform_connection(Role.DISPATCHER) as connection:
        return dispatching.expire_leases(connection, limit=limit)


def take_away(database: Database, attempt: Attempt) -> None:
    """Let the reaper take the attempt's job back."""
    database.do("update partywall.jobs set lease_expires_at = now() - interval '1 second' where state = 'running'")
    (expired,) = expire(limit=1)
    assert expired.job_id == attempt.job_id


def start_again(database: Database) -> Attempt:
    """Return the next attempt of the one job that waits, without its pause."""
    database.do("update partywall.jobs set run_at = now() where state in ('scheduled', 'queued')")
    (message,) = dispatch_all()
    (attempt,) = claim_of(message)
    return attempt


def suspend(tenant: TestTenant) -> None:
    """Let the operator suspend the tenant."""
    with platform_connection(Role.OPERATOR) as connection:
        suspend_tenant(connection, tenant.slug)
