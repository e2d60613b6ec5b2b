"""CSV as a stream: bytes in, records out, each with the line it starts at. Knows nothing of what is in them.

One chunk and one record are in memory at a time, however big the file, and however broken.
"""

import codecs
import csv
import io
from collections.abc import Iterable, Iterator
from typing import ClassVar, NamedTuple

from db.errors import PartywallError

MAX_RECORD_CHARACTERS = 128 * 1024
"""The `csv` module's own limit for a field. What is longer is most likely a quote that is not closed."""

_TOO_LONG = f"longer than {MAX_RECORD_CHARACTERS // 1024} KiB"
_NOT_CLOSED = "a quoted field is not closed"


class NotUtf8Error(PartywallError):
    """The file is not UTF-8."""

    retryable: ClassVar[bool] = False


class CsvRecord(NamedTuple):
    """One record, which may be several lines."""

    line: int
    """The line of the file it starts at, from 1."""
    text: str
    """As it stands in the file, line end included."""
    fields: list[str]
    flaw: str | None = None
    """Why it could not be split into fields; `fields` is empty then."""


def read_records(chunks: Iterable[bytes]) -> Iterator[CsvRecord]:
    """Return every record of a CSV file, its header included.

    Blank lines are none; a byte order mark is dropped. Where a record never ends, because a quote is opened
    and not closed, only its first line is lost: those after it are read again, each as a record of its own.

    Raises:
        NotUtf8Error: when it gets there; the records before were already returned.
    """
    tape = _Tape(_lines(chunks))
    reader = csv.reader(tape)
    while True:
        tape.forget()
        try:
            fields = next(reader)
        except StopIteration:
            return
        except (csv.Error, _RecordTooLongError):
            yield from _line_by_line(tape)
            continue
        if tape.exhausted:
            # The reader closes an open quote at the end of the file by itself, in silence.
            yield from _line_by_line(tape)
        elif fields:
            yield CsvRecord(tape.first_line, "".join(tape.taken), fields)


class _RecordTooLongError(Exception):
    """A record has more characters than one may have."""


class _Tape:
    """The lines of a file, of which it remembers those that the reader took for the current record."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self.first_line = 1
        self.taken: list[str] = []
        self.exhausted = False
        self._characters = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        for line in self._lines:
            self.taken.append(line)
            self._characters += len(line)
            if self._characters > MAX_RECORD_CHARACTERS:
                raise _RecordTooLongError
            return line
        self.exhausted = bool(self.taken)
        raise StopIteration

    def forget(self) -> None:
        """Start the next record."""
        self.first_line += len(self.taken)
        self.taken.clear()
        self._characters = 0


def _line_by_line(tape: _Tape) -> Iterator[CsvRecord]:
    for number, line in enumerate(tape.taken, start=tape.first_line):
        alone = _Tape(iter([line]))
        try:
            fields = next(csv.reader(alone))
        except (csv.Error, _RecordTooLongError):
            yield CsvRecord(number, line, [], _TOO_LONG)
            continue
        if alone.exhausted:
            yield CsvRecord(number, line, [], _NOT_CLOSED)
        elif fields:
            yield CsvRecord(number, line, fields)


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Yield lines with their ends. Of a line beyond the limit something in the middle may be missing."""
    # Never splits a \r\n that stands across two chunks.
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8")(), translate=False)
    count = 0
    rest = ""
    at_start = True
    for chunk, final in _with_end(chunks):
        try:
            text = rest + decoder.decode(chunk, final=final)
        except UnicodeDecodeError as error:
            raise _not_utf8(error, lines_before=count) from None
        if at_start and text:
            # Not by the codec utf-8-sig: it takes a file that is half a byte order mark for an empty one.
            text = text.removeprefix("\N{BYTE ORDER MARK}")
            at_start = False
        rest = ""
        # str.splitlines() would also split at form feeds, U+2028 and others that are mere characters to CSV.
        for line in io.StringIO(text, newline=""):
            if final or line[-1] in "\r\n":
                count += 1
                yield line
            else:
                rest = line if len(line) <= MAX_RECORD_CHARACTERS else line[: MAX_RECORD_CHARACTERS + 1]


def _with_end(chunks: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    for chunk in chunks:
        yield chunk, False
    yield b"", True


def _not_utf8(error: UnicodeDecodeError, *, lines_before: int) -> NotUtf8Error:
    line = lines_before + error.object[: error.start].count(b"\n") + 1
    byte = f"0x{error.object[error.start]:02x}"
    return NotUtf8Error(line=line, byte=byte, hint="Save it as UTF-8 and upload it again.")
