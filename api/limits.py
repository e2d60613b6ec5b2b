"""`/v1/limits`: what the tenant may have at once."""

from dataclasses import asdict
from datetime import datetime
from typing import Self

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.authentication import CALLER_ERRORS, Caller
from api.documentation import problems
from db.limits import Flow, LimitKind, OwnLimits, own_limits
from db.roles import Role
from db.session import async_tenant_session

router = APIRouter(prefix="/v1/limits", tags=["limits"])


class RunningLimitBody(BaseModel):
    """The limit of one task or one queue."""

    kind: LimitKind
    name: str = Field(examples=["orders.import_csv"])
    max_running: int = Field(description="So many of its jobs run at a time.")


class LimitsBody(BaseModel):
    """What the tenant may have at once. Null is no limit."""

    tier: str = Field(examples=["standard"])
    flow: Flow = Field(description="`paused`: nothing starts. `draining`: nothing is accepted, what waits still runs.")
    flow_at: datetime | None = Field(description="Since when; null when it never was anything but open.")
    weight: float = Field(description="Share of the workers, relative to other tenants'.")
    max_running: int | None = Field(description="So many jobs run or are on their way to a worker.")
    rate: float | None = Field(description="So many jobs are started a second, over time.")
    burst: int | None = Field(description="So many of them at once after a rest.")
    max_queued: int | None = Field(description="So many jobs wait; one more answers 429.")
    running_limits: list[RunningLimitBody]

    @classmethod
    def of(cls, found: OwnLimits) -> Self:
        """Return the limits as HTTP shows them."""
        return cls(
            tier=found.tier,
            flow=found.flow,
            flow_at=found.flow_at,
            running_limits=[RunningLimitBody(**asdict(each)) for each in found.running_limits],
            **asdict(found.effective),
        )


@router.get("", responses=problems(*CALLER_ERRORS))
async def get_limits(caller: Caller) -> LimitsBody:
    """Get what the tenant may have at once, as it is in effect now."""
    async with async_tenant_session(caller.context, role=Role.API) as session:
        return await session.run_sync(lambda sync: LimitsBody.of(own_limits(sync)))
