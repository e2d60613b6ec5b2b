"""The tables that `orders.import_csv` fills, and how: thousands of rows a statement."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import FetchedValue, Numeric, text
from sqlalchemy.orm import Mapped, mapped_column

from db.rows import RowId, TenantRow
from db.session import Executor
from tasks.order_lines import OrderLine, RejectedLine


class OrderRow(TenantRow):
    """One line of an order, of a file with the digest `file_sha256`."""

    __tablename__ = "orders"

    id: Mapped[RowId]
    file_sha256: Mapped[bytes]
    file_line: Mapped[int]
    line: Mapped[int]
    order_id: Mapped[str]
    customer_id: Mapped[str]
    ordered_at: Mapped[datetime]
    sku: Mapped[str]
    description: Mapped[str]
    quantity: Mapped[int]
    unit_price: Mapped[Decimal] = mapped_column(Numeric(16, 4))
    imported_at: Mapped[datetime] = mapped_column(server_default=FetchedValue())


class RejectedRow(TenantRow):
    """One row of such a file that was no order line, and why."""

    __tablename__ = "rejected_rows"

    id: Mapped[RowId]
    file_name: Mapped[str]
    file_sha256: Mapped[bytes]
    file_line: Mapped[int]
    line: Mapped[int]
    reason: Mapped[str]
    row_text: Mapped[str]
    rejected_at: Mapped[datetime] = mapped_column(server_default=FetchedValue())


class Imported(NamedTuple):
    """What an insert added: rows that were not there yet, and what they sold for."""

    rows: int
    revenue: Decimal


# COPY is refused where row-level security holds; arrays come next. The tenant is given, because the column's default
# would check the token for every row. Summing here keeps the revenue exact: Python's Decimal rounds at 28 digits.
_INSERT_ORDERS = text("""
    with imported as (
        insert into app.orders (
            tenant_id, file_sha256, file_line, line, order_id, customer_id, ordered_at, sku, description, quantity,
            unit_price
        )
        select :tenant_id, :file_sha256, given.*
        from unnest(
            cast(:file_line as integer[]),
            cast(:line as integer[]),
            cast(:order_id as text[]),
            cast(:customer_id as text[]),
            cast(:ordered_at as timestamptz[]),
            cast(:sku as text[]),
            cast(:description as text[]),
            cast(:quantity as integer[]),
            cast(:unit_price as numeric[])
        ) as given
        on conflict on constraint orders_file_line_is_unique do nothing
        returning quantity, unit_price
    )
    select count(*), coalesce(sum(quantity * unit_price), 0)
    from imported
""")

_INSERT_REJECTED = text("""
    insert into app.rejected_rows (tenant_id, file_name, file_sha256, file_line, line, reason, row_text)
    select :tenant_id, :file_name, :file_sha256, given.*
    from unnest(
        cast(:file_line as integer[]),
        cast(:line as integer[]),
        cast(:reason as text[]),
        cast(:row_text as text[])
    ) as given
    on conflict on constraint rejected_rows_file_line_is_unique do nothing
""")


def insert_orders(executor: Executor, lines: Sequence[OrderLine], *, tenant_id: UUID, file_sha256: bytes) -> Imported:
    """Add the lines of a file, except those that are there already, and return what that added."""
    if not lines:
        return Imported(0, Decimal(0))
    columns = _columns(OrderLine._fields, lines)
    rows, revenue = executor.execute(
        _INSERT_ORDERS, {"tenant_id": tenant_id, "file_sha256": file_sha256, **columns}
    ).one()
    return Imported(rows, revenue)


def insert_rejected(
    executor: Executor, lines: Sequence[RejectedLine], *, tenant_id: UUID, file_name: str, file_sha256: bytes
) -> None:
    """Keep the rejected lines of a file, except those that are there already."""
    if not lines:
        return
    columns = _columns(RejectedLine._fields, lines)
    executor.execute(
        _INSERT_REJECTED,
        {"tenant_id": tenant_id, "file_name": file_name, "file_sha256": file_sha256, **columns},
    )


def _columns(names: Sequence[str], rows: Sequence[tuple[object, ...]]) -> dict[str, list[object]]:
    return {name: list(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}
