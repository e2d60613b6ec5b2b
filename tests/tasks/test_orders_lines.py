"""Order lines: what is taken, what is not and why, and that nothing a file can hold stops the reading."""

import csv
import io
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.csv_records import NotUtf8Error
from tasks.order_lines import (
    COLUMNS,
    ColumnsMissingError,
    FileEmptyError,
    OrderFileError,
    OrderLine,
    RejectedLine,
    read_order_lines,
)

HEADER = ",".join(COLUMNS)
GOOD = {
    "tenant": "acme",
    "order_id": "SO-1",
    "customer_id": "C-1",
    "ordered_at": "2026-01-31T23:59:59Z",
    "sku": "HAM-16",
    "description": "Claw hammer",
    "quantity": "2",
    "unit_price": "24.95",
}


def read(content: str | bytes) -> list[OrderLine | RejectedLine]:
    chunk = content.encode() if isinstance(content, str) else content
    return list(read_order_lines([chunk], tenant_names={"acme", "Acme Tools"}))


def table(rows: Sequence[Sequence[str]], header: Sequence[str] = COLUMNS) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([header, *rows])
    return text.getvalue()


def row(**changed: str) -> list[str]:
    return [*(GOOD | changed).values()]


def taken(**changed: str) -> OrderLine:
    (line,) = read(table([row(**changed)]))
    assert isinstance(line, OrderLine), line.reason
    return line


def reason(*fields: str, **changed: str) -> str:
    (line,) = read(table([fields or row(**changed)]))
    assert isinstance(line, RejectedLine)
    return line.reason


def test_a_good_row_is_taken_field_by_field() -> None:
    assert taken() == OrderLine(
        file_line=2,
        line=2,
        order_id="SO-1",
        customer_id="C-1",
        ordered_at=datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC),
        sku="HAM-16",
        description="Claw hammer",
        quantity=2,
        unit_price=Decimal("24.95"),
    )


def test_columns_may_stand_in_any_order_among_others() -> None:
    names = ["note", *reversed(COLUMNS), "discount"]
    content = table([["n", *reversed(row()), "5%"]], header=names)

    assert read(content) == [taken()]


def test_a_byte_order_mark_and_spaces_around_column_names_do_not_matter() -> None:
    content = "\ufeff" + table([row()], header=[f" {name} " for name in COLUMNS])

    assert read(content) == [taken()]


@pytest.mark.parametrize("name", ["acme", "Acme Tools"])
def test_the_tenant_may_stand_there_as_slug_or_as_name(name: str) -> None:
    assert taken(tenant=name) == taken()


def test_text_is_taken_as_it_stands() -> None:
    line = taken(order_id=" SO 1 ", description='19" rack,\r\nwhite 𝄞')

    assert (line.order_id, line.description) == (" SO 1 ", '19" rack,\r\nwhite 𝄞')


@pytest.mark.parametrize(
    ("column", "field", "why"),
    [
        ("ordered_at", "31.01.2026", "ordered_at is not a date or time in ISO 8601"),
        ("quantity", "two", "quantity is not a whole number"),
        ("unit_price", "12,50", "unit_price is not a decimal number"),
    ],
)
def test_a_row_with_an_unfit_field_is_rejected(column: str, field: str, why: str) -> None:
    assert reason(**{column: field}) == why


@pytest.mark.parametrize("column", ["tenant", "order_id", "customer_id", "sku"])
@pytest.mark.parametrize("blank", ["", " ", "\t\u00a0"])
def test_a_row_without_its_names_is_rejected(column: str, blank: str) -> None:
    assert reason(**{column: blank}) == f"{column} is empty"


def test_an_empty_description_is_fine() -> None:
    assert taken(description="").description == ""


@pytest.mark.parametrize(
    ("column", "limit"), [("order_id", 200), ("customer_id", 200), ("sku", 200), ("description", 2000)]
)
def test_a_field_may_be_as_long_as_its_limit_and_no_longer(column: str, limit: int) -> None:
    longest = "ß" * limit

    assert getattr(taken(**{column: longest}), column) == longest
    assert reason(**{column: longest + "x"}) == f"{column} is longer than {limit} characters"


@pytest.mark.parametrize("tenant", ["zeta", "ACME", " acme", "acme tools"])
def test_a_row_of_another_tenant_is_rejected(tenant: str) -> None:
    assert reason(tenant=tenant) == "tenant is not this tenant"


def test_a_row_with_another_number_of_fields_is_rejected() -> None:
    assert reason("acme") == "7 fields too few"
    assert reason(*row(), "surplus") == "1 field too many"


@pytest.mark.parametrize("column", COLUMNS)
def test_a_nul_character_is_rejected_and_made_visible(column: str) -> None:
    (line,) = read(table([row(**{column: GOOD[column] + "\0"})]))

    assert isinstance(line, RejectedLine)
    assert line.reason == "there is a NUL character in it"
    assert "\0" not in line.row_text
    assert line.row_text.count("␀") == 1


def test_a_huge_field_costs_its_row_only() -> None:
    content = f"{HEADER}\n{','.join(row())}\nacme,{'x' * 5_000_000}\n{','.join(row())}\n"

    first, huge, last = read(content)

    assert isinstance(first, OrderLine)
    assert isinstance(last, OrderLine)
    assert huge == RejectedLine(3, 3, "longer than 128 KiB", ("acme," + "x" * 1000)[:1000])
    assert last.file_line == 4


def test_a_quote_that_is_not_closed_costs_its_row_only() -> None:
    good = ",".join(row())

    first, flawed, last = read(f'{HEADER}\n{good}\nacme,SO-2,C-1,2026-01-31,RACK,"19 inch,1,5\n{good}\n')

    assert isinstance(first, OrderLine)
    assert isinstance(last, OrderLine)
    assert flawed == RejectedLine(3, 3, "a quoted field is not closed", 'acme,SO-2,C-1,2026-01-31,RACK,"19 inch,1,5')


def test_rows_are_numbered_by_the_line_they_start_at() -> None:
    content = table([row(description="two\r\nlines"), row(quantity="x"), row()])

    assert [(line.file_line, line.line) for line in read(content)] == [(2, 2), (4, 4), (5, 5)]


def test_a_rejected_row_is_kept_as_it_stood_without_its_line_end() -> None:
    (line,) = read(f'{HEADER}\r\nacme,"a\r\nb"\r\n')

    assert isinstance(line, RejectedLine)
    assert line.row_text == 'acme,"a\r\nb"'


def test_of_a_long_rejected_row_the_beginning_is_kept() -> None:
    (line,) = read(f"{HEADER}\nacme,{'é' * 3000}\n")

    assert isinstance(line, RejectedLine)
    assert line.row_text == "acme," + "é" * 995


def test_a_cut_out_file_tells_the_lines_of_the_original() -> None:
    content = table([["7", *row()], ["9", *row(sku="")], ["12", "acme"]], header=["line", *COLUMNS])

    assert [(line.file_line, line.line) for line in read(content)] == [(2, 7), (3, 9), (4, 12)]


def test_where_the_line_of_the_original_is_missing_the_files_own_is_told() -> None:
    content = table([[*row(sku=""), "9"], ["acme"]], header=[*COLUMNS, "line"])

    assert [(line.file_line, line.line) for line in read(content)] == [(2, 9), (3, 3)]


@pytest.mark.parametrize("number", ["", "0", "-1", "x", "1.5", "2147483648"])
def test_a_line_that_is_no_line_number_is_rejected(number: str) -> None:
    (line,) = read(table([[number, *row()]], header=["line", *COLUMNS]))

    assert line[:3] == (2, 2, "line is not a whole number from 1")


@pytest.mark.parametrize("content", ["", "\ufeff", "\n\r\n\n"])
def test_an_empty_file_is_refused(content: str) -> None:
    with pytest.raises(FileEmptyError) as refused:
        read(content)
    assert not refused.value.retryable
    assert HEADER in (refused.value.hint or "")


def test_a_file_with_a_header_and_no_rows_is_no_error() -> None:
    assert read(HEADER) == []


@pytest.mark.parametrize(
    ("header", "missing"),
    [
        (HEADER.replace("sku,", ""), ["sku"]),
        (HEADER.replace(",", ";"), list(COLUMNS)),
        (HEADER.upper(), list(COLUMNS)),
        ('"' + HEADER, list(COLUMNS)),
        ("\n".join(row()), list(COLUMNS)),
    ],
)
def test_a_file_without_the_columns_is_refused_with_those_that_are_missing(header: str, missing: list[str]) -> None:
    with pytest.raises(ColumnsMissingError) as refused:
        read(f"{header}\n{','.join(row())}\n")
    assert refused.value.facts == {"missing": missing}
    assert not refused.value.retryable
    assert HEADER in (refused.value.hint or "")


@pytest.mark.parametrize("name", ["sku", "line"])
def test_a_file_that_names_a_column_twice_is_refused(name: str) -> None:
    with pytest.raises(ColumnsMissingError) as refused:
        read(f"line,{HEADER},{name}\n")
    assert refused.value.facts == {"twice": [name]}


fields = st.one_of(
    st.sampled_from([*GOOD.values(), "", "-1", "1e2", "NaN", "2026-01-31", "zeta", "x" * 201]), st.text()
)


@given(st.lists(st.one_of(st.lists(fields, max_size=10), st.tuples(*[fields] * 8)), max_size=8))
def test_every_row_is_either_taken_or_rejected(rows: list[Sequence[str]]) -> None:
    # Surrogates are no characters; UTF-8 cannot hold them.
    content = table(rows).encode(errors="replace")

    lines = read(content)

    (_, *records) = csv.reader(io.StringIO(content.decode(), newline=""))
    assert len(lines) == len([fields for fields in records if fields])


@given(st.binary())
def test_any_bytes_after_a_header_are_rows_or_not_utf8(content: bytes) -> None:
    try:
        lines = read(HEADER.encode() + b"\n" + content)
    except NotUtf8Error:
        return
    except OrderFileError as error:
        pytest.fail(str(error))

    assert [line.file_line for line in lines] == sorted({line.file_line for line in lines})


@given(st.dictionaries(st.sampled_from(COLUMNS), st.text(), max_size=3))
def test_a_good_row_with_anything_in_some_fields_is_taken_or_rejected(changed: dict[str, str]) -> None:
    content = table([row(**changed)]).encode(errors="replace")

    assert len(read(content)) == 1
