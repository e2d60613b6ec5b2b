"""Two tenants to play the attacks with, who never exist for anybody else."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from sqlalchemy import Connection, text

from db.audit.probe.shape import TENANT_COLUMN, Bound, Table
from db.bare_connection import bare_connection
from db.context import TenantContext


@dataclass(frozen=True, slots=True)
class StandIn:
    """A tenant of the probe's own."""

    name: str
    tenant_id: UUID
    token: str = field(repr=False)


Pair = tuple[StandIn, StandIn]


def borrow(operator_url: str, count: int = 2) -> list[StandIn]:
    """Return tenants that the operator created, opened, and rolled back.

    What is left is a token each, good for an hour, for a tenant whose id nobody will ever have. Their rows can be
    written and read wherever no foreign key leads to `partywall.tenants`.
    """
    with bare_connection(operator_url) as connection:
        return borrow_from(connection, count)


def borrow_from(connection: Connection, count: int = 2) -> list[StandIn]:
    """The same on a connection that may create and open tenants, and has no transaction."""
    made = [_create(connection, _name(place)) for place in range(count)]
    connection.rollback()
    return made


def create(connection: Connection) -> Pair:
    """Create two tenants in the connection's transaction, which has to be rolled back."""
    return _create(connection, "A"), _create(connection, "B")


def that_fit(connection: Connection, table: Table, crowd: Sequence[StandIn]) -> Pair | None:
    """Return two tenants whose rows go into the partition, where the hash of the tenant decides; None if any two do."""
    bounds = [bound for bound in table.bounds if list(bound.keys) == [TENANT_COLUMN] and bound.hashes]
    if not bounds:
        return None
    fitting = [tenant for tenant in crowd if all(_fits(connection, bound, tenant) for bound in bounds)]
    connection.rollback()
    if len(fitting) < 2:
        return None
    return replace(fitting[0], name="A"), replace(fitting[1], name="B")


def _fits(connection: Connection, bound: Bound, tenant: StandIn) -> bool:
    modulus, remainder = bound.hashes or (1, 0)
    asked = text("select satisfies_hash_partition(:parent, :modulus, :remainder, cast(:tenant as uuid))")
    values = {"parent": bound.parent, "modulus": modulus, "remainder": remainder, "tenant": tenant.tenant_id}
    fits: bool = connection.execute(asked, values).scalar_one()
    return fits


def _create(connection: Connection, name: str) -> StandIn:
    slug = f"probe-{secrets.token_hex(8)}"
    connection.execute(text("select partywall.create_tenant(:slug, :slug)"), {"slug": slug})
    token: str = connection.execute(text("select partywall.open_tenant(:slug)"), {"slug": slug}).scalar_one()
    return StandIn(name=name, tenant_id=TenantContext.of(token).tenant_id, token=token)


def _name(place: int) -> str:
    return chr(ord("A") + place) if place < 26 else str(place)
