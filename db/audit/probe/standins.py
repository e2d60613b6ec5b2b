"""Two tenants to play the attacks with, who never exist for anybody else."""

import secrets
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import Connection, text

from db.bare_connection import bare_connection
from db.context import TenantContext


@dataclass(frozen=True, slots=True)
class StandIn:
    """A tenant of the probe's own."""

    name: str
    tenant_id: UUID
    token: str = field(repr=False)


Pair = tuple[StandIn, StandIn]


def borrow(operator_url: str) -> Pair:
    """Return two tenants that the operator created, opened, and rolled back.

    What is left is a token each, good for an hour, for a tenant whose id nobody will ever have. Their rows can be
    written and read wherever no foreign key leads to `partywall.tenants`.
    """
    with bare_connection(operator_url) as connection:
        made = create(connection)
        connection.rollback()
    return made


def create(connection: Connection) -> Pair:
    """Create two tenants in the connection's transaction, which has to be rolled back."""
    return _create(connection, "A"), _create(connection, "B")


def _create(connection: Connection, name: str) -> StandIn:
    slug = f"probe-{secrets.token_hex(8)}"
    connection.execute(text("select partywall.create_tenant(:slug, :slug)"), {"slug": slug})
    token: str = connection.execute(text("select partywall.open_tenant(:slug)"), {"slug": slug}).scalar_one()
    return StandIn(name=name, tenant_id=TenantContext.of(token).tenant_id, token=token)
