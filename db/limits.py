"""What each tenant may have at once: weight, caps, rate and depth, of its own or of its tier; pausing and draining.

Every change acts on the backlog at the next dispatch. `changed_by` says who makes it; None is the connection's login.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Connection, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from db.errors import LimitInvalidError, TenantUnknownError
from db.session import Executor
from db.tenants import change_tenant

Flow = Literal["open", "paused", "draining"]
"""`paused`: nothing of the tenant starts. `draining`: nothing is accepted for it, and what waits still runs."""

LimitKind = Literal["task", "queue"]


@dataclass(frozen=True, slots=True)
class Limits:
    """None is no limit; among a tenant's own, that its tier decides."""

    weight: float | None
    """Share of the workers, relative to the other tenants that have something to start."""
    max_running: int | None
    """Jobs that run or are on their way to a worker."""
    rate: float | None
    """Jobs started a second, over time; `burst` of them at once after a pause."""
    burst: int | None
    max_queued: int | None
    """Jobs that wait."""


@dataclass(frozen=True, slots=True)
class RunningLimit:
    """How many jobs of one task, or on one queue, may run at a time."""

    kind: LimitKind
    name: str
    max_running: int


@dataclass(frozen=True, slots=True)
class Change:
    """Who changed a limit last, and when."""

    changed_by: str
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class TenantLimits:
    """What holds for one tenant, what of it is its own, and who changed it when."""

    tenant_id: UUID
    tier: str
    flow: Flow
    flow_reason: str | None
    flow_by: str | None
    flow_at: datetime | None
    effective: Limits
    own: Limits
    running_limits: tuple[RunningLimit, ...]
    changes: Mapping[str, Change]
    """By name of the limit, `tier`, `task:NAME` or `queue:NAME`; what went back to the tier's or was dropped, too."""


@dataclass(frozen=True, slots=True)
class OwnLimits:
    """What holds for a tenant, as it may see it itself: without who set it, and why."""

    tier: str
    flow: Flow
    flow_at: datetime | None
    effective: Limits
    running_limits: tuple[RunningLimit, ...]


_SET_LIMITS = text("select partywall.set_limits(:slug, :changes, :changed_by)").bindparams(
    bindparam("changes", type_=JSONB)
)


def tenant_limits(connection: Connection, slug: str) -> TenantLimits:
    """Return the limits of a tenant.

    Raises:
        TenantUnknownError: no tenant has that slug.
    """
    row = connection.execute(text("select * from partywall.tenant_limits(:slug)"), {"slug": slug}).one_or_none()
    connection.commit()
    if row is None:
        raise TenantUnknownError(slug=slug, hint="partywall tenants list shows those there are.")
    return TenantLimits(
        tenant_id=row.tenant_id,
        tier=row.tier,
        flow=row.flow,
        flow_reason=row.flow_reason,
        flow_by=row.flow_by,
        flow_at=row.flow_at,
        effective=Limits(**row.effective),
        own=Limits(**row.own),
        running_limits=_running_limits(row.running_limits),
        changes={
            name: Change(each["changed_by"], datetime.fromisoformat(each["changed_at"]))
            for name, each in row.changes.items()
        },
    )


def own_limits(executor: Executor) -> OwnLimits:
    """Return the limits of the executor's tenant."""
    row = executor.execute(text("select * from partywall.own_limits()")).one()
    return OwnLimits(
        tier=row.tier,
        flow=row.flow,
        flow_at=row.flow_at,
        effective=Limits(**row.effective),
        running_limits=_running_limits(row.running_limits),
    )


def set_limits(
    connection: Connection, slug: str, changes: Mapping[str, float | None], *, changed_by: str | None = None
) -> UUID:
    """Set the limits that `changes` names, fields of `Limits`; None goes back to the tier's.

    Raises:
        TenantUnknownError, TenantDeletingError: there is no such tenant, or none for long.
        LimitInvalidError: there is no limit of that name, or it cannot be that.
    """
    return change_tenant(connection, _SET_LIMITS, slug, changes=finite(changes), changed_by=changed_by)


def set_running_limit(
    connection: Connection,
    slug: str,
    kind: LimitKind,
    name: str,
    max_running: int | None,
    *,
    changed_by: str | None = None,
) -> UUID:
    """Let at most `max_running` jobs of a task, or on a queue, run at a time; None takes the limit away.

    Raises:
        PartywallError: as `set_limits()` does.
    """
    if max_running is not None and not 1 <= max_running < 2**31:
        raise LimitInvalidError(
            f"{max_running} is no limit", kind=kind, name=name, hint="It is a whole number from 1 to 2147483647."
        )
    statement = text("select partywall.set_running_limit(:slug, :kind, :name, :max_running, :changed_by)")
    return change_tenant(
        connection, statement, slug, kind=kind, name=name, max_running=max_running, changed_by=changed_by
    )


def pause_tenant(connection: Connection, slug: str, *, reason: str | None, changed_by: str | None = None) -> UUID:
    """Let nothing of the tenant start until it is resumed; what is enqueued waits, and what runs goes on.

    What was dispatched and not begun waits again.
    """
    return _set_flow(connection, slug, "paused", reason=reason, changed_by=changed_by)


def drain_tenant(connection: Connection, slug: str, *, reason: str | None, changed_by: str | None = None) -> UUID:
    """Accept nothing for the tenant until it is resumed, but from its own bodies; what waits still runs."""
    return _set_flow(connection, slug, "draining", reason=reason, changed_by=changed_by)


def finite(changes: Mapping[str, float | None]) -> dict[str, float | None]:
    """Return the changes as JSON can hold them.

    Raises:
        LimitInvalidError: one is infinite, or no number.
    """
    for name, value in changes.items():
        if isinstance(value, float) and not isfinite(value):
            raise LimitInvalidError(f"{value} is no limit", limit=name, hint="Name a number that has an end.")
    return dict(changes)


def _set_flow(connection: Connection, slug: str, flow: Flow, **values: Any) -> UUID:
    statement = text("select partywall.set_flow(:slug, :flow, :reason, :changed_by)")
    return change_tenant(connection, statement, slug, flow=flow, **values)


def _running_limits(found: list[dict[str, Any]]) -> tuple[RunningLimit, ...]:
    return tuple(RunningLimit(**each) for each in found)
