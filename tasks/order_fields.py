"""What may stand in the fields of an order line, and what is said of a field in which something else stands."""

import re
from datetime import UTC, datetime
from decimal import Decimal

MAX_CODE_CHARACTERS = 200
"""Of order_id, customer_id and sku."""
MAX_DESCRIPTION_CHARACTERS = 2_000
MAX_INTEGER = 2**31 - 1
MAX_PRICE_DIGITS = (12, 4)
"""Before the decimal point, and after it."""
YEARS = range(1000, 9999)
"""Further out, a moment is more than Python can hold as soon as somebody reads it in another time zone."""

# ISO 8601, extended or basic. datetime.fromisoformat() knows the rest, but takes any character for the "T".
_MOMENT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{8}|[0-9]{4}-W[0-9]{2}(-[0-9])?|[0-9]{4}W[0-9]{2,3})"
    r"([T ][0-9:.,]+(Z|[+-][0-9:]+)?)?"
)
# int() and Decimal() would also take 1_000, Infinity and the digits of every script.
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_DECIMAL = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")


class UnfitError(Exception):
    """The row is no order line. Never leaves `order_lines.py`: it becomes the reason of a rejected one."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def code(column: str, field: str) -> str:
    """Return an order_id, customer_id or sku as it stands."""
    if not field or field.isspace():
        raise UnfitError(f"{column} is empty")
    if len(field) > MAX_CODE_CHARACTERS:
        raise UnfitError(f"{column} is longer than {MAX_CODE_CHARACTERS} characters")
    return field


def description(field: str) -> str:
    """Return a description as it stands; it may be empty."""
    if len(field) > MAX_DESCRIPTION_CHARACTERS:
        raise UnfitError(f"description is longer than {MAX_DESCRIPTION_CHARACTERS} characters")
    return field


def moment(field: str) -> datetime:
    """Return ordered_at in UTC. A date is its midnight; without an offset it is meant in UTC."""
    field = field.strip()
    try:
        if _MOMENT.fullmatch(field) is None:
            raise ValueError(field)
        given = datetime.fromisoformat(field)
        in_utc = given.replace(tzinfo=UTC) if given.tzinfo is None else given.astimezone(UTC)
    except (ValueError, OverflowError):
        raise UnfitError("ordered_at is not a date or time in ISO 8601") from None
    if in_utc.year not in YEARS:
        raise UnfitError(f"ordered_at is not between the years {YEARS[0]} and {YEARS[-1]}")
    return in_utc


def quantity(field: str) -> int:
    """Return a quantity. A negative one is a return."""
    field = field.strip()
    if _INTEGER.fullmatch(field) is None:
        raise UnfitError("quantity is not a whole number")
    number = int(field)
    if abs(number) > MAX_INTEGER:
        raise UnfitError(f"quantity is not between -{MAX_INTEGER} and {MAX_INTEGER}")
    return number


def price(field: str) -> Decimal:
    """Return a unit_price, exactly. Digits count as written: 1.50000 has five after the point."""
    field = field.strip()
    if _DECIMAL.fullmatch(field) is None:
        raise UnfitError("unit_price is not a decimal number")
    amount = Decimal(field)
    before, after = MAX_PRICE_DIGITS
    exponent = amount.as_tuple().exponent
    if (amount and amount.adjusted() >= before) or not isinstance(exponent, int) or exponent < -after:
        raise UnfitError(f"unit_price has more than {before} digits before the point or {after} after it")
    return amount


def line_number(field: str) -> int | None:
    """Return the number of a line, counted from 1, or None if it is not one."""
    field = field.strip()
    if _INTEGER.fullmatch(field) is None or not 1 <= int(field) <= MAX_INTEGER:
        return None
    return int(field)
