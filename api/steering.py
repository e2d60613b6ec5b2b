"""`/v1/jobs/{job_id}/...`: what becomes of a job that was accepted, and what its attempts came to."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from sqlalchemy.orm import Session

from api.authentication import CALLER_ERRORS, Caller
from api.bodies import JSON_ERRORS, optional_json_body
from api.documentation import json_request, problems
from api.errors import CursorInvalidError, RequestInvalidError
from api.job_bodies import AttemptBody, AttemptPage, JobBody
from api.job_requests import CancelRequest, known_id
from api.pages import PageRequest
from db import jobs, steering
from db.errors import JobNotFoundError, JobOverError, QueueFullError, TenantDrainingError, UniqueKeyTakenError
from db.roles import Role
from db.session import async_tenant_session
from db.waiting import waiting_on

router = APIRouter(prefix="/v1/jobs/{job_id}", tags=["jobs"])

_LAST_ATTEMPT = 2**31 - 1


@router.post(
    "/cancel",
    response_description="The job is over: cancelled now, or before.",
    responses=problems(*CALLER_ERRORS, *JSON_ERRORS, JobNotFoundError, JobOverError),
    openapi_extra=json_request(CancelRequest, required=False),
)
async def cancel_job(job_id: str, request: Request, caller: Caller) -> JobBody:
    """Cancel a job that is not over. What a running attempt of it wrote is not kept."""
    known = known_id(job_id)
    asked = await optional_json_body(request, CancelRequest)

    def cancel(session: Session) -> JobBody:
        steering.cancel_job(session, known, reason=asked.reason)
        return JobBody.of(jobs.get_job(session, known))

    async with async_tenant_session(caller.context, role=Role.API) as session:
        return await session.run_sync(cancel)


@router.post(
    "/retry",
    status_code=202,
    response_description="The job waits for one more attempt.",
    responses=problems(
        *CALLER_ERRORS, JobNotFoundError, JobOverError, UniqueKeyTakenError, QueueFullError, TenantDrainingError
    ),
)
async def retry_job(job_id: str, caller: Caller) -> JobBody:
    """Let a job that has failed, has expired or was cancelled try once more."""
    known = known_id(job_id)

    def retry(session: Session) -> JobBody:
        steering.retry_job(session, known)
        return JobBody.of(jobs.get_job(session, known), waiting_on(session, known))

    async with async_tenant_session(caller.context, role=Role.API) as session:
        return await session.run_sync(retry)


@router.get("/attempts", responses=problems(*CALLER_ERRORS, JobNotFoundError, RequestInvalidError, CursorInvalidError))
async def list_attempts(job_id: str, wanted: Annotated[PageRequest, Query()], caller: Caller) -> AttemptPage:
    """List the attempts of a job that have ended, in order. The one that runs stands in the job."""
    known = known_id(job_id)
    scope = f"{caller.tenant_id} attempts of {known}"
    after = min(wanted.position(scope=scope) or 0, _LAST_ATTEMPT)

    def read(session: Session) -> list[AttemptBody]:
        jobs.get_job(session, known)
        rows = jobs.list_attempts(session, known, after=after, limit=wanted.limit + 1)
        return [AttemptBody.of(row) for row in rows]

    async with async_tenant_session(caller.context, role=Role.API) as session:
        found = await session.run_sync(read)
    data, page = wanted.cut(found, position=lambda attempt: attempt.attempt, scope=scope)
    return AttemptPage(data=data, page=page)
