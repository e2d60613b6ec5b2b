"""The mapped base of every tenant's table. What it adds is written nowhere else by hand."""

import secrets
import time
from datetime import datetime
from typing import Annotated, Any, ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, FetchedValue, MetaData
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
    # What is bound is cast to the mapped type: to `timestamp` a moment loses its time zone, to `integer` a number
    # that a bigint column holds is out of range.
    type_annotation_map: ClassVar[dict[Any, Any]] = {datetime: DateTime(timezone=True), int: BigInteger}

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True, insert_default=_tenant_of_connection, sort_order=-2)


def uuid7() -> UUID:
    """Return a new UUIDv7: 48 bits of Unix milliseconds, then random ones, as `partywall.uuid7()` makes them."""
    milliseconds = time.time_ns() // 1_000_000
    random_bits = secrets.randbits(74)
    return UUID(int=milliseconds << 80 | 7 << 76 | (random_bits >> 62) << 64 | 2 << 62 | random_bits & (1 << 62) - 1)


# Made here, not by the column's default: SQLAlchemy sends rows whose keys it knows together, and would otherwise
# insert them one by one to learn each id.
RowId = Annotated[
    UUID, mapped_column(primary_key=True, insert_default=uuid7, server_default=FetchedValue(), sort_order=-1)
]
"""A UUIDv7 that fills itself: `id: Mapped[RowId]`."""
