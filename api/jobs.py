"""`/v1/jobs`: asking for work and watching it."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field
from sqlalchemy.orm import Session

from api.authentication import CALLER_ERRORS, Caller
from api.bodies import JSON_ERRORS, json_body
from api.documentation import Responses, json_request, problems
from api.errors import CursorInvalidError, RequestInvalidError
from api.idempotency import REPLAYED, IdempotencyKey
from api.job_bodies import JobBody, JobPage, JobSummary
from api.job_requests import JobRequest, Moment, known_id
from api.pages import PageRequest
from api.refusals import REFUSALS
from db import jobs
from db.accepting import Accepted
from db.errors import JobNotFoundError
from db.jobs import JobState
from db.roles import Role
from db.session import async_tenant_session
from db.waiting import waiting_on, waiting_on_each
from tasks import producing
from tasks.errors import PayloadInvalidError, UnknownTaskError

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

_WAITING = (JobState.SCHEDULED, JobState.QUEUED, JobState.DISPATCHED)
_FOUND: Responses = {
    200: {
        "model": JobBody,
        "description": "The job was accepted before, under the same key.",
        "headers": {
            REPLAYED: {
                "description": "`true` when the key was the Idempotency-Key; absent when it was the unique key.",
                "schema": {"type": "string"},
            }
        },
    }
}


@router.post(
    "",
    status_code=202,
    response_description="The job is committed. Whether a broker or a worker is up at the moment makes no difference.",
    responses=problems(*CALLER_ERRORS, *JSON_ERRORS, UnknownTaskError, PayloadInvalidError, *REFUSALS) | _FOUND,
    openapi_extra=json_request(JobRequest),
)
async def create_job(request: Request, response: Response, caller: Caller, idempotency_key: IdempotencyKey) -> JobBody:
    """Ask for a task to be run once."""
    wanted = await json_body(request, JobRequest)

    def accept(session: Session) -> tuple[Accepted, JobBody]:
        accepted = producing.accept(
            session, wanted.task, wanted.payload, wishes=wanted.wishes(idempotency_key=idempotency_key)
        )
        job = jobs.get_job(session, accepted.job_id)
        # Not of a new one: accepting it takes 2.9 ms, and this would take 1.6 more, to say that it came just now.
        return accepted, JobBody.of(job, None if accepted.is_new else waiting_on(session, accepted.job_id))

    async with async_tenant_session(caller.context, role=Role.API) as session:
        accepted, job = await session.run_sync(accept)
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    if not accepted.is_new:
        response.status_code = 200
        if idempotency_key is not None and job.idempotency_key == idempotency_key:
            response.headers[REPLAYED] = "true"
    return job


@router.get("/{job_id}", responses=problems(*CALLER_ERRORS, JobNotFoundError))
async def get_job(job_id: str, caller: Caller) -> JobBody:
    """Get a job."""
    known = known_id(job_id)

    def read(session: Session) -> JobBody:
        return JobBody.of(jobs.get_job(session, known), waiting_on(session, known))

    async with async_tenant_session(caller.context, role=Role.API) as session:
        return await session.run_sync(read)


class JobFilter(PageRequest):
    """Which jobs to list."""

    state: list[JobState] = Field([], description="Repeat it for several.")
    task: str | None = Field(None, max_length=200, pattern=r"^[^\x00]*$")
    created_from: Moment | None = Field(None, description="Created at this moment or later.")
    created_before: Moment | None = Field(None, description="Created before this moment.")

    def scope(self, tenant_id: UUID) -> str:
        """Return the text that is the same for two pages of one list, and for nothing else."""
        filters = self.model_dump_json(exclude={"limit", "cursor"})
        return f"{tenant_id} {filters}"


@router.get("", responses=problems(*CALLER_ERRORS, RequestInvalidError, CursorInvalidError))
async def list_jobs(wanted: Annotated[JobFilter, Query()], caller: Caller) -> JobPage:
    """List jobs, newest first."""
    scope = wanted.scope(caller.tenant_id)
    before = wanted.position(scope=scope)

    def read(session: Session) -> list[JobSummary]:
        rows = jobs.list_jobs(
            session,
            states=wanted.state,
            task_name=wanted.task,
            created_from=wanted.created_from,
            created_before=wanted.created_before,
            before_id=None if before is None else UUID(int=before),
            limit=wanted.limit + 1,
        )
        waiting = waiting_on_each(session, [row.id for row in rows if row.state in _WAITING])
        return [JobSummary.of(row, waiting.get(row.id)) for row in rows]

    async with async_tenant_session(caller.context, role=Role.API) as session:
        found = await session.run_sync(read)
    data, page = wanted.cut(found, position=lambda job: job.id.int, scope=scope)
    return JobPage(data=data, page=page)
