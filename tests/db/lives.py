"""A job in each state, brought there by the functions that lead there."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from db import accepting, attempts, dispatching, steering
from db.accepting import Wishes
from db.context import TenantContext
from db.jobs import JobState
from db.roles import Role
from db.session import platform_connection, tenant_session
from tests.databases import Database, TestTenant
from tests.db.work import TASK, body_of, claim_of, dispatch_all

_MINT = """
    select id, partywall_private.mint(tenant_id, format('job/%s/%s', id, attempt), interval '1 hour')
    from partywall.jobs
"""


@dataclass(frozen=True)
class Life:
    """A job in a state, and all that somebody could know who was there on its way."""

    state: JobState
    tenant: TestTenant
    job_id: UUID
    nonce: UUID
    """The one it was sent with; made up where it was not sent."""
    context: TenantContext
    """That of its last attempt; of attempt 0, which no claim would mint, where it had none."""


def one_in_each_state(database: Database, tenant: TestTenant) -> dict[JobState, Life]:
    """Return a job of the tenant for each state. Both its keys are the name of the state."""
    soon = datetime.now(UTC) + timedelta(hours=1)
    ids = {state: _enqueue(tenant, state) for state in JobState if state not in ("scheduled", "queued")}
    messages = {message.job_id: message for message in dispatch_all()}
    ids[JobState.QUEUED] = _enqueue(tenant, JobState.QUEUED)
    ids[JobState.SCHEDULED] = _enqueue(tenant, JobState.SCHEDULED, run_at=soon)

    started = {
        state: claim_of(messages[ids[state]])[0]
        for state in (JobState.RUNNING, JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)
    }
    with body_of(started[JobState.SUCCEEDED]) as connection:
        attempts.finish(connection, result=None)
    with body_of(started[JobState.FAILED]) as connection:
        attempts.fail(connection, error={"type": "ValueError"}, retry_after_seconds=None)
    with tenant_session(tenant.context, role=Role.API) as session:
        steering.cancel_job(session, ids[JobState.CANCELLED], reason="no longer needed")
    database.do("update partywall.jobs set expires_at = now() where id = :id", id=ids[JobState.EXPIRED])
    with platform_connection(Role.DISPATCHER) as connection:
        dispatching.expire_jobs(connection, limit=10)

    tokens = {job_id: str(token) for job_id, token in database.ask(_MINT)}
    return {
        state: Life(
            state=state,
            tenant=tenant,
            job_id=ids[state],
            nonce=messages[ids[state]].nonce if ids[state] in messages else uuid4(),
            context=TenantContext.of(tokens[ids[state]]),
        )
        for state in JobState
    }


def _enqueue(tenant: TestTenant, state: JobState, *, run_at: datetime | None = None) -> UUID:
    with tenant_session(tenant.context, role=Role.API) as session:
        return accepting.accept(
            session,
            task_name=TASK,
            payload={},
            queue="default",
            max_attempts=3,
            wishes=Wishes(run_at=run_at, idempotency_key=state.value, unique_key=state.value),
        ).job_id
