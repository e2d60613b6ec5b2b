"""Orders in a CSV file: which rows are order lines, and what is wrong with the others."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from operator import itemgetter
from typing import ClassVar, NamedTuple

from db.errors import PartywallError
from tasks import order_fields
from tasks.csv_records import CsvRecord, read_records
from tasks.order_fields import UnfitError

COLUMNS = ("tenant", "order_id", "customer_id", "ordered_at", "sku", "description", "quantity", "unit_price")
"""Every file has these, in any order. What else it has is left alone."""
LINE_COLUMN = "line"
"""A file that was cut out of another may say at which line of that one each row started."""

MAX_ROW_TEXT_CHARACTERS = 1_000


class OrderFileError(PartywallError):
    """The file holds no orders that could be imported."""

    retryable: ClassVar[bool] = False


class FileEmptyError(OrderFileError):
    """The file is empty."""


class ColumnsMissingError(OrderFileError):
    """The file's first line does not name the columns of an order."""


class OrderLine(NamedTuple):
    """One good row, in the order in which `app.orders` takes it."""

    file_line: int
    """The line of this file it starts at, from 1."""
    line: int
    """The line to tell people: what the column `line` says, otherwise the same."""
    order_id: str
    customer_id: str
    ordered_at: datetime
    sku: str
    description: str
    quantity: int
    unit_price: Decimal


class RejectedLine(NamedTuple):
    """One row that is no order line, in the order in which `app.rejected_rows` takes it."""

    file_line: int
    line: int
    reason: str
    """The first thing that is wrong with it."""
    row_text: str


def read_order_lines(chunks: Iterable[bytes], *, tenant_names: Collection[str]) -> Iterator[OrderLine | RejectedLine]:
    """Return every row of a CSV file of orders, good or not, in the order of the file. Blank lines are none.

    `tenant_names` are what may stand in the column `tenant`.

    Raises:
        FileEmptyError, ColumnsMissingError: before the first row.
        NotUtf8Error: when it gets there.
    """
    records = read_records(chunks)
    header = next(records, None)
    if header is None:
        raise FileEmptyError(hint=_FIRST_LINE)
    layout = _Layout(header.fields)
    for record in records:
        try:
            yield _order_line(record, layout, tenant_names)
        except UnfitError as unfit:
            yield RejectedLine(record.line, layout.line_of(record), unfit.reason, _kept(record.text))


_FIRST_LINE = f"The first line names the columns: {','.join(COLUMNS)}."


class _Layout:
    """Where the columns stand in a file."""

    def __init__(self, header: Sequence[str]) -> None:
        names = [name.strip() for name in header]
        missing = [name for name in COLUMNS if name not in names]
        if missing:
            raise ColumnsMissingError(missing=missing, hint=_FIRST_LINE)
        twice = [name for name in (*COLUMNS, LINE_COLUMN) if names.count(name) > 1]
        if twice:
            raise ColumnsMissingError("the file's first line names a column twice", twice=twice, hint=_FIRST_LINE)
        self.width = len(names)
        self.pick = itemgetter(*(names.index(name) for name in COLUMNS))
        self._line_at = names.index(LINE_COLUMN) if LINE_COLUMN in names else None

    def line_of(self, record: CsvRecord) -> int:
        """Return the line to tell people of any record, however broken."""
        if self._line_at is None or len(record.fields) <= self._line_at:
            return record.line
        return order_fields.line_number(record.fields[self._line_at]) or record.line

    def require_line(self, record: CsvRecord) -> int:
        """Return the same of a whole record, and insist that the file's own number is one."""
        if self._line_at is None:
            return record.line
        number = order_fields.line_number(record.fields[self._line_at])
        if number is None:
            raise UnfitError("line is not a whole number from 1")
        return number


def _order_line(record: CsvRecord, layout: _Layout, tenant_names: Collection[str]) -> OrderLine:
    if record.flaw is not None:
        raise UnfitError(record.flaw)
    if len(record.fields) != layout.width:
        raise UnfitError(_miscount(len(record.fields) - layout.width))
    if "\0" in record.text:
        raise UnfitError("there is a NUL character in it")
    tenant, order_id, customer_id, ordered_at, sku, description, quantity, unit_price = layout.pick(record.fields)
    if tenant not in tenant_names:
        raise UnfitError("tenant is not this tenant" if tenant.strip() else "tenant is empty")
    return OrderLine(
        file_line=record.line,
        line=layout.require_line(record),
        order_id=order_fields.code("order_id", order_id),
        customer_id=order_fields.code("customer_id", customer_id),
        ordered_at=order_fields.moment(ordered_at),
        sku=order_fields.code("sku", sku),
        description=order_fields.description(description),
        quantity=order_fields.quantity(quantity),
        unit_price=order_fields.price(unit_price),
    )


def _kept(text: str) -> str:
    # PostgreSQL's text holds every character but one.
    return text.rstrip("\r\n")[:MAX_ROW_TEXT_CHARACTERS].replace("\0", "\N{SYMBOL FOR NULL}")


def _miscount(surplus: int) -> str:
    # As a difference, which holds for the file this one was cut out of too: that has no column `line`.
    count = abs(surplus)
    return f"{count} field{'s' if count > 1 else ''} too {'many' if surplus > 0 else 'few'}"
