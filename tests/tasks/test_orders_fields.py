"""Fields of an order line: what is taken, exactly, and what is said of the rest."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tasks.order_fields import UnfitError, moment, price, quantity


def reason(read: Callable[[str], object], field: str) -> str:
    with pytest.raises(UnfitError) as unfit:
        read(field)
    return unfit.value.reason


@pytest.mark.parametrize(
    ("spelled", "expected"),
    [
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("20260131", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-W05-6", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31T10:00", datetime(2026, 1, 31, 10, tzinfo=UTC)),
        ("2026-01-31 10:00:00.25", datetime(2026, 1, 31, 10, 0, 0, 250_000, tzinfo=UTC)),
        ("2026-01-31T00:30:00+01:00", datetime(2026, 1, 30, 23, 30, tzinfo=UTC)),
        ("20260131T100000-0130", datetime(2026, 1, 31, 11, 30, tzinfo=UTC)),
        (" 2026-01-31 ", datetime(2026, 1, 31, tzinfo=UTC)),
    ],
)
def test_moments_in_iso_8601_are_taken_in_utc(spelled: str, expected: datetime) -> None:
    ordered_at = moment(spelled)

    assert (ordered_at, ordered_at.utcoffset()) == (expected, timedelta(0))


@pytest.mark.parametrize(
    "spelled",
    [
        "", "31.01.2026", "01/31/2026", "2026-02-29", "2026-13-01", "2026-01-31T25:00", "2026-01-31x10:00",
        "2026-01-31510:00", "2026-01-31T", "2026-01-31T10:00 Uhr", "1767225600", "२०२६-०१-३१", "0001-01-01T00:00+02:00",
        "9999-12-31T23:00-02:00",
    ],
)  # fmt: skip
def test_other_moments_are_not(spelled: str) -> None:
    assert reason(moment, spelled) == "ordered_at is not a date or time in ISO 8601"


@pytest.mark.parametrize("spelled", ["0999-12-31", "9999-01-01"])
def test_a_moment_that_python_could_not_read_back_everywhere_is_rejected(spelled: str) -> None:
    assert reason(moment, spelled) == "ordered_at is not between the years 1000 and 9998"


@pytest.mark.parametrize(("spelled", "expected"), [("0", 0), ("-3", -3), ("+3", 3), (" 12 ", 12), ("007", 7)])
def test_whole_numbers_are_quantities_and_a_negative_one_is_a_return(spelled: str, expected: int) -> None:
    assert quantity(spelled) == expected


@pytest.mark.parametrize("spelled", ["", "two", "2.0", "1e3", "1_000", "1,000", "३", "0x10", "--1", "9" * 5000])
def test_other_quantities_are_rejected(spelled: str) -> None:
    assert reason(quantity, spelled) == "quantity is not a whole number"


@pytest.mark.parametrize("spelled", ["2147483648", "-2147483648"])
def test_a_quantity_that_the_column_cannot_hold_is_rejected(spelled: str) -> None:
    assert reason(quantity, spelled) == "quantity is not between -2147483647 and 2147483647"


@pytest.mark.parametrize(
    "spelled",
    ["0", "0.0000", "-5.5", "+5", " 7.25 ", ".5", "5.", "1e3", "1.5E-3", "000000000000001.5", "999999999999.9999"],
)
def test_decimal_numbers_are_prices_exactly(spelled: str) -> None:
    assert price(spelled) == Decimal(spelled)


@pytest.mark.parametrize(
    "spelled", ["", "free", "12,50", "1.2.3", "NaN", "Infinity", "-inf", "1_0.5", "३.५", "0x1", "$5", ".", "1e9999"]
)
def test_other_prices_are_rejected(spelled: str) -> None:
    assert reason(price, spelled) == "unit_price is not a decimal number"


@pytest.mark.parametrize("spelled", ["1000000000000", "0.00001", "1.50000", "1e12", "1e-5", "1e999", "9" * 400])
def test_a_price_with_too_many_digits_is_rejected_and_never_rounded(spelled: str) -> None:
    assert reason(price, spelled) == "unit_price has more than 12 digits before the point or 4 after it"
