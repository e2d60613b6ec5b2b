"""Running jobs in this process: everything a worker does, except receive the message from a broker."""

from collections.abc import Sequence
from typing import Any

from celery import current_app

from db.dispatching import Dispatched
from db.jobs import JobRow
from db.roles import Role
from db.session import tenant_session
from tasks import producing, registry
from tasks.errors import AttemptFailedError
from tasks.execution import run_message
from tasks.heart import stop_heart
from tasks.message import JobMessage
from tests.databases import TestTenant
from tests.db.work import dispatch_all, job_of


def run_job(tenant: TestTenant, task: Any, payload: Any = None) -> JobRow:
    """Enqueue a job of the task and run it once; return it as it is after that attempt."""
    with tenant_session(tenant.context, role=Role.API) as session:
        job_id = producing.enqueue(session, task.name, payload or {})
    run_ready()
    return job_of(tenant, job_id)


def run_ready() -> None:
    """Dispatch every job that is ready, of all tenants, and run each once. Why one failed, its row says."""
    for sent in dispatch_all():
        try:
            run_sent(sent)
        except AttemptFailedError:
            continue


def run_bundle(tenant: TestTenant, sent: Sequence[Dispatched]) -> list[JobRow]:
    """Run jobs that share a message; return them as they are afterwards."""
    (nonce,) = {each.nonce for each in sent}
    job_ids = tuple(each.job_id for each in sent)
    _run(sent[0].task_name, JobMessage(tenant_id=tenant.id, job_ids=job_ids, nonce=nonce))
    return [job_of(tenant, job_id) for job_id in job_ids]


def run_sent(sent: Dispatched) -> None:
    """Run one job as the worker would that gets its message."""
    _run(sent.task_name, JobMessage(tenant_id=sent.tenant_id, job_ids=(sent.job_id,), nonce=sent.nonce))


def _run(task_name: str, message: JobMessage) -> None:
    try:
        run_message(registry.declaration(task_name), current_app.tasks[task_name].run, message)
    finally:
        # A process of ours would beat on. This one has another database with the next test.
        stop_heart()
