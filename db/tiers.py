"""Tiers: named defaults of limits. A tenant has one; what is set for it alone goes before."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from db.limits import Limits, finite
from db.tenants import change_tenant

STANDARD = "standard"
"""The tier of whoever was given no other."""


@dataclass(frozen=True, slots=True)
class Tier:
    """What tenants of this name may have unless something else is set for one of them."""

    name: str
    limits: Limits
    changed_by: str
    changed_at: datetime


_SET_TIER = text("select partywall.set_tier(:name, :changes, :changed_by)").bindparams(
    bindparam("changes", type_=JSONB)
)


def list_tiers(connection: Connection) -> list[Tier]:
    """Return every tier, ordered by name."""
    rows = connection.execute(
        text("""
            select name, weight, max_running, rate, burst, max_queued, changed_by, changed_at
            from partywall.tiers
            order by name
        """)
    ).all()
    connection.commit()
    return [
        Tier(
            name=row.name,
            limits=Limits(row.weight, row.max_running, row.rate, row.burst, row.max_queued),
            changed_by=row.changed_by,
            changed_at=row.changed_at,
        )
        for row in rows
    ]


def set_tier(
    connection: Connection, name: str, changes: Mapping[str, float | None], *, changed_by: str | None = None
) -> None:
    """Make a tier, or change the limits that `changes` names for every tenant that has it; None is no limit.

    Raises:
        LimitInvalidError: it cannot be named so, there is no limit of that name, or it cannot be that.
    """
    connection.execute(_SET_TIER, {"name": name, "changes": finite(changes), "changed_by": changed_by})
    connection.commit()


def set_tenant_tier(connection: Connection, slug: str, tier: str, *, changed_by: str | None = None) -> UUID:
    """Give the tenant another tier; what is set for it alone stays.

    Raises:
        TenantUnknownError, TenantDeletingError: there is no such tenant, or none for long.
        LimitInvalidError: there is no such tier.
    """
    statement = text("select partywall.set_tenant_tier(:slug, :tier, :changed_by)")
    return change_tenant(connection, statement, slug, tier=tier, changed_by=changed_by)
