"""`/v1/tasks`: what can be asked for."""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.authentication import CALLER_ERRORS, Caller
from api.documentation import problems
from tasks import registry

router = APIRouter(prefix="/v1/tasks", tags=["tasks"])


class TaskBody(BaseModel):
    """One task."""

    name: str = Field(examples=["orders.import_csv"])
    description: str
    queue: str
    max_attempts: int
    time_limit_seconds: float
    payload_schema: dict[str, Any] = Field(description="JSON Schema of the payload.")


class TaskList(BaseModel):
    """Every task a tenant can ask for, by name."""

    data: list[TaskBody]


@router.get("", responses=problems(*CALLER_ERRORS))
async def list_tasks(caller: Caller) -> TaskList:
    """List the tasks there are. Those that only the platform runs are left out."""
    return TaskList(
        data=[
            TaskBody(
                name=task.name,
                description=task.description,
                queue=task.queue,
                max_attempts=task.max_attempts,
                time_limit_seconds=task.time_limit_seconds,
                payload_schema=task.payload_schema(),
            )
            for _, task in sorted(registry.declared().items())
            if not task.tenantless
        ]
    )
