"""The demo's tenants: one for each name in the input, with a slug made from the name and a key."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from db.context import TenantContext
from db.credentials import ApiKey, authenticate, create_api_key
from db.roles import Role
from db.session import platform_connection
from db.tenants import create_tenant

LONGEST_SLUG = 63
"""Characters of a DNS label."""


@dataclass(frozen=True, slots=True)
class DemoTenant:
    """One tenant as the demo knows it. `name` is what the input calls it, to the letter."""

    name: str
    slug: str
    id: UUID
    key: ApiKey

    def context(self) -> TenantContext:
        """Return a fresh context, traded for the key as the API does it; good for five minutes."""
        with platform_connection(Role.API) as connection:
            return authenticate(connection, self.key).context


def create_tenants(names: Iterable[str]) -> list[DemoTenant]:
    """Create a tenant with an API key for each name, as the operator."""
    made = []
    with platform_connection(Role.OPERATOR) as connection:
        for name, slug in slugs_for(names).items():
            tenant_id = create_tenant(connection, slug=slug, name=name)
            key = create_api_key(connection, slug=slug, label="demo")
            made.append(DemoTenant(name=name, slug=slug, id=tenant_id, key=key))
    return made


def slugs_for(names: Iterable[str]) -> dict[str, str]:
    """Return a DNS label for each name, as like it as ASCII allows; the second of the same gets a 2, and so on."""
    slugs: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        slug = plain = _slug(name)
        number = 1
        while slug in taken:
            number += 1
            ending = f"-{number}"
            slug = plain[: LONGEST_SLUG - len(ending)].rstrip("-") + ending
        taken.add(slug)
        slugs[name] = slug
    return slugs


def _slug(name: str) -> str:
    # NFKD takes an accent off its letter, and ASCII then drops it: Zürich becomes zurich. Case folding makes ß an ss.
    plain = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:LONGEST_SLUG].strip("-") or "tenant"
