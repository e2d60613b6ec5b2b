"""Everything that may be done to a job, each the function of its name, tried on a job in any state.

An act returns the word it has for what happened, or None: then the job itself shows it. Many take all jobs they find,
so the lives they are tried on are all arranged before.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from sqlalchemy import text

from db import accepting, attempts, dispatching, steering, tenants, workers
from db.accepting import Wishes
from db.attempts import Outcome
from db.roles import Role
from db.session import become, platform_connection, tenant_session
from tests.db.lives import Life
from tests.db.work import TASK, TESTS, dispatch_all, suspend


@dataclass(frozen=True)
class Act:
    """One function, and what must be true of the jobs for it to have an occasion."""

    do: Callable[[Life], str | None]
    occasion: str | None = None
    """Said to the database as the superuser."""


def enqueue(life: Life, *, wishes: Callable[[str], Wishes]) -> str:
    with tenant_session(life.tenant.context, role=Role.API) as session:
        accepted = accepting.accept(
            session, task_name=TASK, payload={}, queue="default", max_attempts=3, wishes=wishes(life.state.value)
        )
        # Only what would happen is asked: the other job would be in the way of what comes next.
        session.rollback()
    return "another job" if accepted.is_new else "this job"


def dispatch(life: Life) -> None:
    dispatch_all(resend_after=0)


def resend_lost(life: Life) -> None:
    with platform_connection(Role.DISPATCHER) as connection:
        dispatching.resend_lost(
            connection, queue="default", known_tasks=[TASK], at_broker=0, lost_after_seconds=0, batch_limit=100
        )


def undo_dispatch(life: Life) -> None:
    with platform_connection(Role.DISPATCHER) as connection:
        dispatching.undo_dispatch(connection, [life.nonce])


def claim(life: Life) -> None:
    with platform_connection(Role.WORKER) as connection:
        attempts.claim(
            connection,
            tenant_id=life.tenant.id,
            job_ids=[life.job_id],
            nonce=life.nonce,
            task_name=TASK,
            worker=TESTS,
            lease_seconds=60,
            lifetime_seconds=60,
        )


def say(life: Life, *, statement: str) -> str | None:
    """As the attempt whose token it is."""
    with platform_connection(Role.WORKER) as connection:
        become(connection, life.context)
        connection.execute(text(statement))
        connection.commit()
    # Whoever holds the lease changes nothing.
    return "running" if "hold_lease" in statement else None


def heartbeat(life: Life) -> str | None:
    with platform_connection(Role.WORKER) as connection:
        lost = workers.heartbeat(connection, TESTS, [life.context], lease_seconds=600)
    return "lost" if lost == {life.context: life.state} else None


def end_attempts(life: Life, *, outcome: Outcome) -> None:
    with platform_connection(Role.WORKER) as connection:
        attempts.end_attempts(
            connection,
            tenant_id=life.tenant.id,
            job_ids=[life.job_id],
            nonce=life.nonce,
            worker=TESTS.name,
            outcome=outcome,
        )


def expire_leases(life: Life) -> None:
    with platform_connection(Role.DISPATCHER) as connection:
        dispatching.expire_leases(connection, limit=10)


def expire_jobs(life: Life) -> None:
    with platform_connection(Role.DISPATCHER) as connection:
        dispatching.expire_jobs(connection, limit=10)


def cancel_job(life: Life) -> None:
    with tenant_session(life.tenant.context, role=Role.API) as session:
        session.execute(text("select partywall.cancel_job(:id, 'because')"), {"id": life.job_id})


def retry_job(life: Life) -> None:
    with tenant_session(life.tenant.context, role=Role.API) as session:
        session.execute(text("select partywall.retry_job(:id)"), {"id": life.job_id})


def retry_jobs(life: Life) -> None:
    with platform_connection(Role.OPERATOR) as connection:
        retry = text("select * from partywall.retry_jobs(:state, null, null, null, null, 10)")
        connection.execute(retry, {"state": life.state.value}).all()
        connection.commit()


def suspend_tenant(life: Life) -> None:
    suspend(life.tenant)


def resume_tenant(life: Life) -> None:
    with platform_connection(Role.OPERATOR) as connection:
        tenants.resume_tenant(connection, life.tenant.slug)


def cancel_jobs_of_deleted(life: Life) -> None:
    with platform_connection(Role.OPERATOR) as connection:
        tenants.delete_tenant(connection, life.tenant.slug)
    with platform_connection(Role.DISPATCHER) as connection:
        dispatching.cancel_jobs_of_deleted(connection, limit=10)


def prune_jobs(life: Life) -> None:
    with tenant_session(life.tenant.context, role=Role.WORKER) as session:
        steering.prune_jobs(session, limit=10)


_FAIL = "select partywall.fail('{}', %s, '%s')"

_LAST_TRY = "update partywall.jobs set max_attempts = 1"

ACTS: dict[str, Act] = {
    "enqueue, same idempotency_key": Act(partial(enqueue, wishes=lambda key: Wishes(idempotency_key=key))),
    "enqueue, same unique_key": Act(partial(enqueue, wishes=lambda key: Wishes(unique_key=key))),
    "dispatch": Act(dispatch, "update partywall.jobs set run_at = now()"),
    "resend_lost": Act(resend_lost),
    "undo_dispatch": Act(undo_dispatch),
    "claim": Act(claim),
    "report_progress": Act(partial(say, statement="select partywall.report_progress(1, 2, 'half')")),
    "save_checkpoint": Act(partial(say, statement="select partywall.save_checkpoint('{}')")),
    "hold_lease": Act(partial(say, statement="select partywall.hold_lease()")),
    "heartbeat": Act(heartbeat),
    "finish": Act(partial(say, statement="select partywall.finish('{}')")),
    "fail, to be tried again": Act(partial(say, statement=_FAIL % ("interval '1 hour'", "failed"))),
    "fail, for good": Act(partial(say, statement=_FAIL % ("null", "failed"))),
    "fail, timed_out": Act(partial(say, statement=_FAIL % ("interval '1 hour'", "timed_out"))),
    "fail, cancelled": Act(partial(say, statement=_FAIL % ("interval '1 hour'", "cancelled"))),
    "end_attempts, killed": Act(partial(end_attempts, outcome=Outcome.KILLED)),
    "end_attempts, killed on the last try": Act(partial(end_attempts, outcome=Outcome.KILLED), _LAST_TRY),
    "end_attempts, timed_out": Act(partial(end_attempts, outcome=Outcome.TIMED_OUT)),
    "end_attempts, handed_back": Act(partial(end_attempts, outcome=Outcome.HANDED_BACK)),
    "end_attempts, handed_back on the last try": Act(partial(end_attempts, outcome=Outcome.HANDED_BACK), _LAST_TRY),
    "expire_leases": Act(expire_leases, "update partywall.jobs set lease_expires_at = now()"),
    "expire_leases, on the last try": Act(
        expire_leases, "update partywall.jobs set lease_expires_at = now(), max_attempts = 1"
    ),
    "expire_jobs": Act(expire_jobs, "update partywall.jobs set expires_at = now()"),
    "cancel_job": Act(cancel_job),
    "retry_job": Act(retry_job),
    "retry_jobs": Act(retry_jobs),
    "suspend_tenant": Act(suspend_tenant),
    "resume_tenant": Act(resume_tenant, "update partywall.tenants set status = 'suspended'"),
    "cancel_jobs_of_deleted": Act(cancel_jobs_of_deleted),
    "prune_jobs": Act(prune_jobs, "update partywall.jobs set finished_at = finished_at - interval '1000 days'"),
}
"""By the name that the row has in docs/explanation/job-states.md."""
