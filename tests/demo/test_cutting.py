"""Cutting: every record ends up in exactly one place, unchanged, under the line it came from."""

import csv
import io
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import assume, given
from hypothesis import strategies as st

from cli.demo.cutting import Part, Unassigned, cut
from cli.demo.records import COLUMNS, opened, records

HEADER = ",".join(COLUMNS)
ORDER = "SO-1,C-1,2026-01-02T03:04:05Z,S,a thing,2,1.50"

# What CSV files are made of when something goes wrong with them.
SCRAPS = st.sampled_from(
    [
        "Acme,",
        "Zeta,",
        "é\u2028,",
        ORDER,
        ",",
        '"',
        '""',
        "\n",
        "\r\n",
        "\r",
        " ",
        "x",
        "Acme," + ORDER + "\n",
    ]
)


def pieces_of(text: str, tenants: set[str], *, rows_per_part: int = 3) -> tuple[dict[int, list[str]], list[Unassigned]]:
    """Cut `text`; return the fields of each record in a part by its line, and the records in no part."""
    with TemporaryDirectory() as name:
        source = Path(name) / "orders.csv"
        source.write_text(text, encoding="utf-8", newline="")
        pieces = list(cut(source, tenants=tenants, directory=Path(name), rows_per_part=rows_per_part))
        assigned: dict[int, list[str]] = {}
        for part in (piece for piece in pieces if isinstance(piece, Part)):
            with part.path.open(encoding="utf-8", newline="") as file:
                header, *rows = [row for row in csv.reader(file) if row]
            assert header == ["line", *COLUMNS]
            assert len(rows) == part.rows <= rows_per_part
            for line, *fields in rows:
                assert int(line) not in assigned
                assigned[int(line)] = fields
    return assigned, [piece for piece in pieces if isinstance(piece, Unassigned)]


@given(st.lists(SCRAPS, max_size=60))
def test_every_record_is_in_exactly_one_place_with_the_fields_and_the_line_it_had(scraps: list[str]) -> None:
    text = f"{HEADER}\n{''.join(scraps)}"
    expected = plainly_read(text)
    assume(expected is not None)
    assert expected is not None

    assigned, unassigned = pieces_of(text, {"Acme", "Zeta"})

    assert {piece.line for piece in unassigned}.isdisjoint(assigned)
    assert {piece.line for piece in unassigned} | assigned.keys() == expected.keys()
    assert all(expected[line] == fields for line, fields in assigned.items())
    assert all(fields[0] in ("Acme", "Zeta") for fields in assigned.values())


def plainly_read(text: str) -> dict[int, list[str]] | None:
    """Read the same file without our own reader: fields by line. None when a quote is not closed in it."""
    found: dict[int, list[str]] = {}
    reader = csv.reader(io.StringIO(f"{text}\nEND\n", newline=""))
    started, fields = 1, ["END"]
    for fields in reader:
        if fields:
            found[started] = fields
        started = reader.line_num + 1
    if fields != ["END"]:
        return None
    return {line: fields for line, fields in found.items() if line > 1 and fields != ["END"]}


@given(st.lists(SCRAPS, max_size=60))
def test_whatever_is_broken_no_line_is_lost_and_none_is_read_twice(scraps: list[str]) -> None:
    lines = list(io.StringIO("".join(scraps), newline=""))

    left = dict(enumerate(lines, start=1))
    for record in records(lines):
        for number, line in enumerate(io.StringIO(record.text, newline=""), start=record.line):
            assert left.pop(number) == line

    assert all(not line.strip("\r\n") for line in left.values())


@given(
    st.lists(st.lists(st.text(max_size=8), min_size=8, max_size=8), max_size=12),
    st.sampled_from(["\n", "\r\n"]),
)
def test_what_a_csv_writer_wrote_comes_out_as_it_went_in(rows: list[list[str]], line_end: str) -> None:
    rows = [[f"T{at % 3}", *row[1:]] for at, row in enumerate(rows)]
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=line_end, quoting=csv.QUOTE_ALL).writerows([COLUMNS, *rows])

    assigned, unassigned = pieces_of(text.getvalue(), {"T0", "T1", "T2"}, rows_per_part=2)

    assert unassigned == []
    assert [assigned[line] for line in sorted(assigned)] == rows


def test_a_line_number_is_where_the_record_starts_also_behind_quoted_line_breaks() -> None:
    rows = ['SO-1,C,D,S,"two\nlines",1,1', 'SO-2,C,D,S,"three\r\nmore\rlines",1,1', "SO-3,C,D,S,,1,1"]
    text = f"{HEADER}\nAcme,{rows[0]}\n\nAcme,{rows[1]}\nAcme,{rows[2]}"

    assigned, _ = pieces_of(text, {"Acme"})

    assert {line: fields[1] for line, fields in assigned.items()} == {2: "SO-1", 5: "SO-2", 8: "SO-3"}


def test_a_byte_order_mark_is_no_part_of_the_first_column() -> None:
    assigned, unassigned = pieces_of(f"\ufeff{HEADER}\nAcme,{ORDER}\n", {"Acme"})

    assert (list(assigned), unassigned) == ([2], [])


def test_a_record_is_nobodys_when_its_tenant_is_missing_unknown_or_unreadable() -> None:
    endless, long = "x" * 140_000, "n" * 201
    text = f'{HEADER}\n,{ORDER}\n  ,{ORDER}\n12.50,{ORDER},\n\n{endless}\n{long},{ORDER}\n"Acme,{ORDER}\nAcme,{ORDER}\n'

    assigned, unassigned = pieces_of(text, {"Acme"})

    assert list(assigned) == [9]
    assert {piece.line: piece.reason for piece in unassigned} == {
        2: "no usable tenant",
        3: "no usable tenant",
        4: "1 field too many, and no tenant is called '12.50'",
        6: "longer than 130,000 characters",
        7: "no usable tenant",
        8: "a quote is not closed",
    }


def test_a_record_too_short_to_name_its_tenant_is_nobodys() -> None:
    header = ",".join([*COLUMNS[1:], "tenant"])
    with TemporaryDirectory() as name:
        source = Path(name) / "orders.csv"
        source.write_text(f"{header}\nSO-1,C-1\n")

        assert list(cut(source, tenants={"Acme"}, directory=Path(name))) == [
            Unassigned(2, "6 fields too few, and no usable tenant")
        ]


def test_parts_are_numbered_per_tenant_and_hold_what_the_file_held(tmp_path: Path) -> None:
    rows = [f"{'Acme' if number % 3 else 'Zeta'},SO-{number},C,D,S,{'d' * 900},1,1" for number in range(100)]
    source = tmp_path / "orders.csv"
    source.write_text("\n".join([HEADER, *rows]))

    parts = [
        part
        for part in cut(source, tenants={"Acme", "Zeta"}, directory=tmp_path, rows_per_part=40)
        if isinstance(part, Part)
    ]

    assert sorted((part.tenant, part.number, part.rows) for part in parts) == [
        ("Acme", 1, 40),
        ("Acme", 2, 26),
        ("Zeta", 1, 34),
    ]
    kept: Counter[str] = Counter()
    for part in parts:
        with opened(part.path) as found:
            next(found)
            kept.update(record.text.split(",", 1)[1].strip() for record in found)
    assert kept == Counter(rows)
