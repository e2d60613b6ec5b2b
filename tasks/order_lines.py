"""Orders in a CSV file: which records are order lines, and what is wrong with the others."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from operator import itemgetter
from typing import ClassVar, NamedTuple

from db.errors import PartywallError
from tasks.csv_records import CsvRecord, read_records

COLUMNS = ("tenant", "order_id", "customer_id", "ordered_at", "sku", "description", "quantity", "unit_price")
"""Every file has these, in any order. What else it has is left alone."""
LINE_COLUMN = "line"
"""A file that was cut out of another may say at which line of that one each row started."""

MAX_CODE_CHARACTERS = 200
"""Of order_id, customer_id and sku."""
MAX_DESCRIPTION_CHARACTERS = 2_000
MAX_ROW_TEXT_CHARACTERS = 1_000
MAX_INTEGER = 2**31 - 1
"""Of the columns that hold quantities and line numbers."""
PRICE_DIGITS = (12, 4)
"""Of a unit_price, before and after the point."""
YEARS = range(1000, 9999)
"""Further out a moment leaves what Python can hold as soon as somebody reads it in another time zone."""

# ISO 8601, extended or basic. datetime.fromisoformat() checks the rest, but takes any character for the "T".
_MOMENT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{8}|[0-9]{4}-W[0-9]{2}(-[0-9])?|[0-9]{4}W[0-9]{2,3})"
    r"([T ][0-9:.,]+(Z|[+-][0-9:]+)?)?"
)
# int() and Decimal() would also take 1_000, NaN and the digits of every script.
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_DECIMAL = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")


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


class RejectedRow(NamedTuple):
    """One row that is no order line, and the first reason why not."""

    file_line: int
    line: int
    reason: str
    row_text: str


def read_order_lines(
    chunks: Iterable[bytes], *, tenant_names: Collection[str]
) -> Iterator[OrderLine | RejectedRow]:
    """Return every row of a CSV file of orders, good or not, in the order of the file. Blank lines are none.

    `tenant_names` are what may stand in the column `tenant`.

    Raises:
        FileEmptyError, ColumnsMissingError: with the first row; there are no orders in the file.
        NotUtf8Error: when it gets there.
    """
    records = read_records(chunks)
    header = next(records, None)
    if header is None:
        raise FileEmptyError(hint=f"Its first line names the columns: {','.join(COLUMNS)}.")
    layout = _Layout(header.fields)
    for record in records:
        try:
            yield _order_line(record, layout, tenant_names)
        except _UnfitError as unfit:
            yield RejectedRow(record.line, layout.line_of(record), unfit.reason, _kept(record.text))


class _UnfitError(Exception):
    """The row is no order line."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Layout:
    """Where the columns stand in a file."""

    def __init__(self, header: Sequence[str]) -> None:
        names = [name.strip() for name in header]
        missing = [name for name in COLUMNS if name not in names]
        if missing:
            raise ColumnsMissingError(missing=missing, hint=f"Its first line names: {','.join(COLUMNS)}.")
        twice = [name for name in (*COLUMNS, LINE_COLUMN) if names.count(name) > 1]
        if twice:
            raise ColumnsMissingError(
                "the file names a column twice", twice=twice, hint="Rename one of them."
            )
        self.width = len(names)
        self.pick = itemgetter(*(names.index(name) for name in COLUMNS))
        self._line_at = names.index(LINE_COLUMN) if LINE_COLUMN in names else None

    def line_of(self, record: CsvRecord) -> int:
        """Return the line to tell people of any record, however broken."""
        if self._line_at is None or len(record.fields) <= self._line_at:
            return record.line
        return _line_number(record.fields[self._line_at]) or record.line

    def require_line(self, record: CsvRecord) -> int:
        """Return the same of a record that is whole, and insist that the file's own number is one."""
        if self._line_at is None:
            return record.line
        number = _line_number(record.fields[self._line_at])
        if number is None:
            raise _UnfitError("line is not a whole number from 1")
        return number


def _order_line(record: CsvRecord, layout: _Layout, tenant_names: Collection[str]) -> OrderLine:
    if record.flaw is not None:
        raise _UnfitError(record.flaw)
    if len(record.fields) != layout.width:
        raise _UnfitError(f"the number of fields is {len(record.fields)} instead of {layout.width}")
    if "\0" in record.text:
        raise _UnfitError("there is a NUL byte in it")
    tenant, order_id, customer_id, ordered_at, sku, description, quantity, unit_price = layout.pick(
        record.fields
    )
    if tenant not in tenant_names:
        raise _UnfitError("tenant is another's" if tenant.strip() else "tenant is empty")
    if len(description) > MAX_DESCRIPTION_CHARACTERS:
        raise _UnfitError(f"description is longer than {MAX_DESCRIPTION_CHARACTERS} characters")
    return OrderLine(
        file_line=record.line,
        line=layout.require_line(record),
        order_id=_code("order_id", order_id),
        customer_id=_code("customer_id", customer_id),
        ordered_at=_moment(ordered_at),
        sku=_code("sku", sku),
        description=description,
        quantity=_quantity(quantity),
        unit_price=_price(unit_price),
    )


def _code(column: str, field: str) -> str:
    if not field or field.isspace():
        raise _UnfitError(f"{column} is empty")
    if len(field) > MAX_CODE_CHARACTERS:
        raise _UnfitError(f"{column} is longer than {MAX_CODE_CHARACTERS} characters")
    return field


def _moment(field: str) -> datetime:
    field = field.strip()
    if _MOMENT.fullmatch(field) is None:
        raise _UnfitError("ordered_at is not a date or time in ISO 8601")
    try:
        moment = datetime.fromisoformat(field)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise _UnfitError("ordered_at is not a date or time in ISO 8601") from None
    if moment.year not in YEARS:
        raise _UnfitError(f"ordered_at is not between the years {YEARS[0]} and {YEARS[-1]}")
    return moment


def _quantity(field: str) -> int:
    field = field.strip()
    if _INTEGER.fullmatch(field) is None:
        raise _UnfitError("quantity is not a whole number")
    quantity = int(field)
    if abs(quantity) > MAX_INTEGER:
        raise _UnfitError(f"quantity is not between -{MAX_INTEGER} and {MAX_INTEGER}")
    return quantity


def _price(field: str) -> Decimal:
    field = field.strip()
    if _DECIMAL.fullmatch(field) is None:
        raise _UnfitError("unit_price is not a decimal number")
    price = Decimal(field)
    before, after = PRICE_DIGITS
    _, _, exponent = price.as_tuple()
    if (price and price.adjusted() >= before) or not isinstance(exponent, int) or exponent < -after:
        raise _UnfitError(f"unit_price has more than {before} digits before the point or {after} after it")
    return price


def _line_number(field: str) -> int | None:
    field = field.strip()
    if _INTEGER.fullmatch(field) is None or not 1 <= int(field) <= MAX_INTEGER:
        return None
    return int(field)


def _kept(text: str) -> str:
    # PostgreSQL's text holds every character but one.
    return text.rstrip("\r\n")[:MAX_ROW_TEXT_CHARACTERS].replace("\0", "\N{SYMBOL FOR NULL}")
