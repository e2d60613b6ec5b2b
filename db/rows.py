"""The mapped base of every tenant's table. What it adds is written nowhere else by hand."""

from typing import Annotated, Any
from uuid import UUID

from sqlalchemy import FetchedValue, MetaData
from sqlalchemy.engine.interfaces import ExecutionContext
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from db.engine import TENANT
from db.errors import NoTenantError


def _tenant_of_connection(execution: Any) -> UUID:
    # The column's own default calls current_tenant_id() for each row, 13 us each; the id is at hand here.
    context: ExecutionContext = execution
    tenant = context.root_connection.get_execution_options().get(TENANT)
    if tenant is None:
        raise NoTenantError(hint="Insert a tenant's rows inside tenant_session().")
    tenant_id: UUID = tenant.tenant_id
    return tenant_id


class TenantRow(DeclarativeBase):
    """A row that belongs to a tenant. `tenant_id` comes first in the primary key and fills itself."""

    metadata = MetaData(schema="app")

    tenant_id: Mapped[UUID] = mapped_column(
        primary_key=True, insert_default=_tenant_of_connection, sort_order=-2
    )


RowId = Annotated[UUID, mapped_column(primary_key=True, server_default=FetchedValue(), sort_order=-1)]
"""A UUIDv7 that the database makes: `id: Mapped[RowId]`."""
