"""CSV records: the same as Python's own reader finds, with the lines they start at, and without ever giving up."""

import csv
import io
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tasks.csv_records import MAX_RECORD_CHARACTERS, CsvRecord, NotUtf8Error, read_records

MEBIBYTE = 1024 * 1024

# Everything that means something to a CSV reader, and a few characters that look as if they did.
csv_text = st.text(st.sampled_from('ab,"\n\r\t é€𝄞\0\ufeff\u2028\x0b\x0c\x1c\x85'), max_size=60)


def records_of(content: bytes, *, chunk_bytes: int = MEBIBYTE) -> list[CsvRecord]:
    return list(read_records(pieces(content, chunk_bytes)))


def pieces(content: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


def starts(content: str) -> list[tuple[int, list[str]]]:
    return [(record.line, record.fields) for record in records_of(content.encode())]


def test_a_record_is_counted_at_the_line_it_starts_at() -> None:
    found = starts('a,b\n"one\ntwo\n\nfive",c\nd,e\n')

    assert found == [(1, ["a", "b"]), (2, ["one\ntwo\n\nfive", "c"]), (6, ["d", "e"])]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_kind_of_line_end_counts_as_one_line(end: str) -> None:
    found = starts(end.join(["a", f'"b{end}c"', "", "d"]))

    assert found == [(1, ["a"]), (2, [f"b{end}c"]), (5, ["d"])]


def test_blank_lines_are_counted_and_are_no_records() -> None:
    assert starts("\n\na\n\n\nb\n\n") == [(3, ["a"]), (6, ["b"])]


def test_characters_that_only_look_like_line_ends_stay_in_their_field() -> None:
    assert starts("a\u2028b\x0bc\x85,d\ne") == [(1, ["a\u2028b\x0bc\x85", "d"]), (2, ["e"])]


def test_a_byte_order_mark_is_dropped_at_the_start_and_nowhere_else() -> None:
    assert starts("\ufeffa\n\ufeffb") == [(1, ["a"]), (2, ["\ufeffb"])]


def test_a_record_keeps_its_text_as_it_stood_in_the_file() -> None:
    texts = [record.text for record in records_of(b'a, "b"\r\n"c\n""d""",e')]

    assert texts == ['a, "b"\r\n', '"c\n""d""",e']


def test_an_empty_file_has_no_records() -> None:
    assert records_of(b"") == records_of(b"\xef\xbb\xbf") == records_of(b"\n\r\n") == []


@given(csv_text)
@example('x,"')
@example('"\n"')
def test_records_are_those_of_pythons_own_reader(text: str) -> None:
    ours = [record for record in records_of(text.encode()) if record.flaw is None]

    # An opening quote that nothing closes: Python closes it at the end, silently; see the tests below.
    if all(record.flaw is None for record in records_of(text.encode())):
        theirs = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
        assert [record.fields for record in ours] == [fields for fields in theirs if fields]


@given(csv_text, st.integers(min_value=1, max_value=9))
@example('a\r\n"b\r\nc",€\r\n', 1)
def test_how_the_bytes_are_cut_makes_no_difference(text: str, chunk_bytes: int) -> None:
    content = text.encode()

    assert records_of(content, chunk_bytes=chunk_bytes) == records_of(content)


@given(csv_text)
@example('"\n\n')
@example('a,"b\n"c"\n')
def test_every_line_is_in_exactly_one_record_unless_it_is_blank(text: str) -> None:
    left = dict(enumerate(lines_of(text.removeprefix("\ufeff")), start=1))

    for record in records_of(text.encode()):
        for number, line in enumerate(lines_of(record.text), start=record.line):
            assert left.pop(number) == line
    assert all(not line.strip("\r\n") for line in left.values())


def lines_of(text: str) -> list[str]:
    return io.StringIO(text, newline="").readlines()


@given(st.binary(max_size=60))
@example(b"\xef")
@example(b"\xef\xbb")
def test_any_bytes_are_records_or_not_utf8(content: bytes) -> None:
    try:
        content.decode()
    except UnicodeDecodeError:
        with pytest.raises(NotUtf8Error):
            records_of(content)
    else:
        records_of(content)


@pytest.mark.parametrize("chunk_bytes", [1, 7, MEBIBYTE])
@pytest.mark.parametrize(
    ("content", "line", "byte"),
    [
        (b"a,b\nc,d\ne,\xfc\n", 3, "0xfc"),  # Latin-1
        (b"a,b\nc,\xe2\x82", 2, "0xe2"),  # cut off in the middle of a character
        ("a,b\n".encode("utf-16"), 1, "0xff"),
        ((b"a" * 99 + b"\n") * 300 + b"\xff\n", 301, "0xff"),
    ],
    ids=["latin-1", "cut off", "utf-16", "further down"],
)
def test_what_is_not_utf8_is_refused_with_the_line(content: bytes, line: int, byte: str, chunk_bytes: int) -> None:
    with pytest.raises(NotUtf8Error) as refused:
        records_of(content, chunk_bytes=chunk_bytes)
    assert refused.value.facts == {"line": line, "byte": byte}
    assert not refused.value.retryable
    assert "UTF-8" in (refused.value.hint or "")


def test_a_quote_that_is_not_closed_costs_one_line_at_the_end_of_a_file() -> None:
    found = records_of(b'a,b\nc,"d\ne,f\ng,h\n')

    assert [(record.line, record.fields, record.flaw) for record in found] == [
        (1, ["a", "b"], None),
        (2, [], "a quoted field is not closed"),
        (3, ["e", "f"], None),
        (4, ["g", "h"], None),
    ]


def test_a_quote_that_is_not_closed_costs_one_line_in_the_middle_of_a_file() -> None:
    rows = 60_000

    found = records_of(b'a,b\nc,"19 inch\n' + b"e,f\n" * rows + b'"x\ny",z\n')

    assert [(record.line, record.flaw) for record in found if record.flaw] == [(2, "a quoted field is not closed")]
    assert len(found) == 1 + 1 + rows + 1
    assert (found[-1].line, found[-1].fields) == (3 + rows, ["x\ny", "z"])


def test_a_line_may_be_as_long_as_a_record_may() -> None:
    (longest,) = records_of(b"x" * MAX_RECORD_CHARACTERS)

    assert (longest.flaw, [len(field) for field in longest.fields]) == (None, [MAX_RECORD_CHARACTERS])


@pytest.mark.parametrize("length", [MAX_RECORD_CHARACTERS + 1, 3 * MEBIBYTE])
@pytest.mark.parametrize("character", [b"x", b",", b'"', b'""'])
def test_a_line_that_is_too_long_is_one_flawed_record(character: bytes, length: int) -> None:
    found = records_of(b"a\n" + character * length + b"\r\nb\n", chunk_bytes=100_000)

    assert [(record.line, record.flaw) for record in found] == [
        (1, None),
        (2, "longer than 128 KiB"),
        (3, None),
    ]


def test_a_lower_field_limit_set_by_somebody_else_costs_the_record_only() -> None:
    limit = csv.field_size_limit(5)
    try:
        found = starts("a\nbcdefgh\ni\n")
    finally:
        csv.field_size_limit(limit)

    assert found == [(1, ["a"]), (2, []), (3, ["i"])]


@pytest.mark.parametrize(("piece", "chunks"), [(b"x", 128), (b'a","', 128), (b'a","\n', 4), (b'"\n', 4), (b"\n", 4)])
def test_a_hostile_file_is_read_in_little_memory(piece: bytes, chunks: int) -> None:
    chunk = piece * (MEBIBYTE // 8 // len(piece))
    tracemalloc.start()
    try:
        for _ in read_records(chunk for _ in range(chunks)):
            pass
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    # A line of two characters costs 60 bytes: all of those of half a mebibyte at once would be 15 MiB.
    assert peak_bytes < 6 * MEBIBYTE
