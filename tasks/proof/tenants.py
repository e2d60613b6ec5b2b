"""Tenants of a proof: made for it, and gone after it."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from db.context import TenantContext
from db.observer import Observer
from db.roles import Role
from db.session import platform_connection
from db.tenants import create_tenant, delete_tenant, open_tenant

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


@contextmanager
def throwaway_pair(
    observer: Observer, *, erases: bool, on_step: Callable[[str], None]
) -> Iterator[tuple[ProofTenant, ProofTenant]]:
    """Make tenants A and B for the block. After it they are erased with all they have, unless the database goes too."""
    pair = ProofTenant.create("A"), ProofTenant.create("B")
    try:
        yield pair
    finally:
        for tenant in pair if erases else ():
            _erase(tenant, observer, on_step)


def _erase(tenant: ProofTenant, observer: Observer, on_step: Callable[[str], None]) -> None:
    kept = observer.erase(tenant.context)
    if kept:
        # A trigger or a foreign key held a row. Nothing of the tenant starts any more, and its name says what it was.
        with platform_connection(Role.OPERATOR) as connection:
            delete_tenant(connection, tenant.slug)
        on_step(f"{tenant.slug} could not be erased: {', '.join(kept)} kept its rows. It is marked as being deleted.")
