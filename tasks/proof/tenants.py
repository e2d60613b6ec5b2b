"""Tenants of a proof: made for it, and gone after it."""

import secrets
from dataclasses import dataclass
from uuid import UUID

from db.context import TenantContext
from db.roles import Role
from db.session import platform_connection
from db.tenants import create_tenant, open_tenant

PREFIX = "prove-"


@dataclass(frozen=True, slots=True)
class ProofTenant:
    """A tenant of ours. `label` is A or B."""

    id: UUID
    slug: str
    label: str

    @classmethod
    def create(cls, label: str) -> "ProofTenant":
        """Make an active tenant `prove-a-1f2e3d4c`."""
        slug = f"{PREFIX}{label.lower()}-{secrets.token_hex(4)}"
        with platform_connection(Role.OPERATOR) as connection:
            return cls(create_tenant(connection, slug=slug, name=f"Proof {label}"), slug, label)

    @property
    def context(self) -> TenantContext:
        """A fresh context, good for an hour."""
        with platform_connection(Role.OPERATOR) as connection:
            return open_tenant(connection, self.slug)
