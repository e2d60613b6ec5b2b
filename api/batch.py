"""`/v1/jobs/batch`: asking for much work at once."""

from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from api.authentication import CALLER_ERRORS, Caller
from api.bodies import JSON_ERRORS, json_body
from api.documentation import json_request, problems
from api.idempotency import IdempotencyKey, keys_of_batch
from api.job_requests import BatchRequest
from api.refusals import REFUSALS
from db.errors import TooManyJobsError
from db.roles import Role
from db.session import async_tenant_session
from tasks import producing
from tasks.errors import JobsInvalidError
from tasks.producing import TaskRequest

router = APIRouter(prefix="/v1/jobs/batch", tags=["jobs"])


class AcceptedBody(BaseModel):
    """A job that was accepted."""

    id: UUID
    is_new: bool = Field(description="False for one that was accepted before, under the same key.")


class BatchBody(BaseModel):
    """What became of a batch."""

    jobs: list[AcceptedBody] = Field(description="In the order of the request.")


@router.post(
    "",
    status_code=202,
    response_description="All jobs are committed. Those of one task and priority are started in the order they have.",
    responses=problems(*CALLER_ERRORS, *JSON_ERRORS, JobsInvalidError, TooManyJobsError, *REFUSALS),
    openapi_extra=json_request(BatchRequest),
)
async def create_jobs(request: Request, caller: Caller, idempotency_key: IdempotencyKey) -> BatchBody:
    """Ask for up to a thousand tasks to be run once each, all or none."""
    wanted = (await json_body(request, BatchRequest)).jobs
    keys = keys_of_batch(idempotency_key, len(wanted))
    requests = [
        TaskRequest(each.task, each.payload, each.wishes(idempotency_key=key))
        for each, key in zip(wanted, keys, strict=True)
    ]
    async with async_tenant_session(caller.context, role=Role.API) as session:
        accepted = await session.run_sync(producing.accept_many, requests)
    return BatchBody(jobs=[AcceptedBody(id=each.job_id, is_new=each.is_new) for each in accepted])
