"""`/v1/jobs/{job_id}/...`: what becomes of a job that was accepted, and what its attempts came to."""

from fastapi import APIRouter, Request
from sqlalchemy.orm import Session

from api.authentication import CALLER_ERRORS, Caller
from api.bodies import JSON_ERRORS, optional_json_body
from api.documentation import json_request, problems
from api.job_bodies import AttemptBody, AttemptList, JobBody
from api.job_requests import CancelRequest, known_id
from db import jobs, steering
from db.errors import JobNotFoundError, JobOverError, QueueFullError, TenantDrainingError, UniqueKeyTakenError
from db.roles import Role
from db.session import async_tenant_session

router = APIRouter(prefix="/v1/jobs/{job_id}", tags=["jobs"])


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
        return JobBody.of(jobs.get_job(session, known))

    async with async_tenant_session(caller.context, role=Role.API) as session:
        return await session.run_sync(retry)


@router.get("/attempts", responses=problems(*CALLER_ERRORS, JobNotFoundError))
async def list_attempts(job_id: str, caller: Caller) -> AttemptList:
    """List the attempts of a job that have ended, in order. The one that runs stands in the job."""
    known = known_id(job_id)

    def read(session: Session) -> AttemptList:
        jobs.get_job(session, known)
        return AttemptList(data=[AttemptBody.of(row) for row in jobs.list_attempts(session, known)])

    async with async_tenant_session(caller.context, role=Role.API) as session:
        return await session.run_sync(read)
