"""One job that is asked for."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Request:
    """A row of the tenant with this number, from 0; `number` tells the job from all others of the run."""

    tenant: int
    number: int
    milliseconds: int = 0
    """How long the body works besides."""


def tenant_id(tenant: int) -> UUID:
    """Return the id of a tenant where none is registered: bare systems take what they are told."""
    return UUID(f"00000000-0000-4000-8000-{tenant:012d}")


def in_turn(count: int, *, tenants: int, first: int = 0) -> list[Request]:
    """Return requests numbered from `first`, of one tenant after the other."""
    return [Request(tenant=number % tenants, number=number) for number in range(first, first + count)]
