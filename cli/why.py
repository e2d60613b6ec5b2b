"""`partywall jobs why`: what a job waits for, and what to do about it."""

from typing import Annotated, Any
from uuid import UUID

import typer

from cli.database import operator_connection
from cli.jobs import find_job
from cli.output import Json, print_fields, print_json, say, span
from db.jobs import JobState
from db.roles import Role
from db.session import tenant_session
from db.tenants import JobOverview, open_tenant
from db.waiting import Reason, WaitingOn, waiting_on

_ADVICE = {
    Reason.SUSPENDED: "Resume its tenant: partywall tenants resume {slug}",
    Reason.DELETING: "Its tenant is being deleted; the reaper cancels it.",
    Reason.PAUSED: "Resume its tenant: partywall tenants resume {slug}",
    Reason.NO_DISPATCHER: "Start a dispatcher: python -m workers.dispatcher",
    Reason.UNKNOWN_TASK: "Name the module of {task} in PARTYWALL_TASK_MODULES, and restart dispatchers and workers.",
    Reason.NO_WORKER_FOR_QUEUE: "Start a worker for it: celery -A workers worker -Q {queue}",
    Reason.NOT_CLAIMED: (
        "No worker that serves {queue} knows {task}, or they are all busy: look for message_refused in their logs."
    ),
    Reason.TENANT_MAX_RUNNING: "It goes on when one of the tenant's jobs ends: partywall tenants limit {slug}",
    Reason.TASK_MAX_RUNNING: "It goes on when one of the tenant's {task} ends: partywall tenants limit {slug}",
    Reason.QUEUE_MAX_RUNNING: "It goes on when one of the tenant's on {queue} ends: partywall tenants limit {slug}",
    Reason.RATE: "Its tenant starts as many a second as it may: partywall tenants limit {slug}",
}


def why(
    job_id: Annotated[UUID, typer.Argument(metavar="ID", help="The job's id.", show_default=False)],
    as_json: Json = False,
) -> None:
    """Say why a job does not run: the first thing that stands in its way, and what to do about it.

    Example: partywall jobs why 0199c5d2-7f10-7c3e-9a4b-2f6d8e1a0b37
    """
    with operator_connection() as connection:
        job = find_job(connection, job_id)
        context = open_tenant(connection, job.tenant_slug)
    with tenant_session(context, role=Role.OPERATOR) as session:
        found = waiting_on(session, job_id)
    if as_json:
        print_json({"id": job_id, "tenant": job.tenant_slug, "state": job.state, "waiting_on": _as_json_object(found)})
    elif found is None:
        over = JobState(job.state).is_terminal
        say(f"It waits for nothing: it {'is over' if over else 'runs'}. See: partywall jobs show {job_id}")
    else:
        print_fields(_fields(job, found))


def _fields(job: JobOverview, found: WaitingOn) -> dict[str, object]:
    advice = _ADVICE.get(found.reason, "").format(slug=job.tenant_slug, task=job.task_name, queue=job.queue)
    fields: dict[str, object] = {
        "tenant": job.tenant_slug,
        "task": job.task_name,
        "state": job.state,
        "waits for": found.reason.value,
        "until": found.until,
        "ahead of it": None if found.ahead is None else f"{found.ahead} of its tenant's jobs",
        "for about": None if found.seconds is None else span(found.seconds),
        "what to do": advice or None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _as_json_object(found: WaitingOn | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {"reason": found.reason, "until": found.until, "ahead": found.ahead, "seconds": found.seconds}
