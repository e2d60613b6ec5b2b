"""Tenants: creating, listing, suspending, resuming, and looking into one as an operator."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, TextClause, text

from db.context import TenantContext
from db.errors import TenantUnknownError


@dataclass(frozen=True, slots=True)
class Tenant:
    """One customer. `slug` is a DNS label, unique; `status` is active, suspended or deleting."""

    id: UUID
    slug: str
    name: str
    status: str
    tier: str
    job_retention_days: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class JobOverview:
    """One job of some tenant without anything the tenant wrote into it."""

    tenant_id: UUID
    tenant_slug: str
    id: UUID
    task_name: str
    queue: str
    state: str
    attempt: int
    max_attempts: int
    run_at: datetime
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


def create_tenant(connection: Connection, *, slug: str, name: str, tier: str = "standard") -> UUID:
    """Return the id of a new, active tenant.

    Raises:
        TenantExistsError: the slug is taken.
        LimitInvalidError: there is no such tier.
        sqlalchemy.exc.IntegrityError: the slug is no DNS label, or the name is empty or over 200 characters.
    """
    tenant_id: UUID = connection.execute(
        text("select partywall.create_tenant(:slug, :name, :tier)"), {"slug": slug, "name": name, "tier": tier}
    ).scalar_one()
    connection.commit()
    return tenant_id


def list_tenants(connection: Connection) -> list[Tenant]:
    """Return every tenant the connection's role may see, ordered by slug."""
    rows = connection.execute(
        text("""
            select id, slug, name, status, tier, job_retention_days, created_at
            from partywall.tenants
            order by slug
        """)
    ).all()
    connection.commit()
    return [Tenant(*row) for row in rows]


def suspend_tenant(connection: Connection, slug: str) -> UUID:
    """Suspend the tenant: nothing of it starts or is accepted until it is resumed. Twice is once."""
    return change_tenant(connection, text("select partywall.suspend_tenant(:slug)"), slug)


def resume_tenant(connection: Connection, slug: str, *, changed_by: str | None = None) -> UUID:
    """Let a tenant work again that is suspended, paused or draining. None: the connection's login does it."""
    return change_tenant(
        connection, text("select partywall.resume_tenant(:slug, :changed_by)"), slug, changed_by=changed_by
    )


def set_job_retention(connection: Connection, slug: str, *, days: int) -> UUID:
    """Keep the tenant's finished jobs for so many days, 1 to 3650, from the next pruning on."""
    return change_tenant(connection, text("select partywall.set_job_retention(:slug, :days)"), slug, days=days)


def delete_tenant(connection: Connection, slug: str) -> UUID:
    """Begin to delete the tenant: nothing of it starts any more but tasks that run for deleted tenants.

    What waits is cancelled by the reaper. The rows stay, and there is no way back.
    """
    return change_tenant(connection, text("select partywall.delete_tenant(:slug)"), slug)


def change_tenant(connection: Connection, change: TextClause, slug: str, **values: Any) -> UUID:
    """Execute a statement that returns the id of the tenant with the slug `:slug`; return it.

    Raises:
        TenantUnknownError: it returned none.
    """
    tenant_id: UUID | None = connection.execute(change, {"slug": slug} | values).scalar_one_or_none()
    connection.commit()
    if tenant_id is None:
        raise TenantUnknownError(slug=slug, hint="partywall tenants list shows those there are.")
    return tenant_id


def open_tenant(connection: Connection, slug: str) -> TenantContext:
    """Return an operator's context of the tenant, good for an hour, active or not.

    Raises:
        TenantUnknownError: no tenant has that slug.
    """
    token: str = connection.execute(text("select partywall.open_tenant(:slug)"), {"slug": slug}).scalar_one()
    connection.commit()
    return TenantContext.of(token)


def jobs_overview(
    connection: Connection,
    *,
    state: str | None = None,
    task_name: str | None = None,
    slug: str | None = None,
    job_id: UUID | None = None,
    limit: int,
) -> Sequence[JobOverview]:
    """Return jobs of all tenants, newest first, at most `limit`."""
    rows = connection.execute(
        text("select * from partywall.jobs_overview(:state, :task_name, :slug, :job_id, :row_limit)"),
        {"state": state, "task_name": task_name, "slug": slug, "job_id": job_id, "row_limit": limit},
    ).all()
    connection.commit()
    return [JobOverview(*row) for row in rows]
