"""Orders as CSV, record by record, in the memory of one record. Knows nothing of Partywall."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

COLUMNS = ("tenant", "order_id", "customer_id", "ordered_at", "sku", "description", "quantity", "unit_price")

LONGEST_RECORD = 130_000
"""Characters. Below the limit of what imports it, so that a line number still fits in front."""
LONGEST_NAME = 200
"""Characters of a tenant's name."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record, which may be several lines."""

    line: int
    """The line it starts at, from 1."""
    text: str
    """As it stands in the file, line end included."""
    fields: Sequence[str]
    flaw: str | None = None
    """Why it could not be split into fields; `fields` is empty then."""


@contextmanager
def opened(path: Path) -> Iterator[Iterator[Record]]:
    """Open a file as its records, header first. A byte order mark is dropped, line ends stay as they are."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        yield records(_lines(file))


def records(lines: Iterable[str]) -> Iterator[Record]:
    """Return every record of a CSV text, its header included. Blank lines are none.

    `lines` must keep their ends: those inside quotes belong to the record. A quote that is never closed costs
    the line it stands in; the lines it would have swallowed are read again, each by itself.
    """
    source = iter(lines)
    line = 1
    while taken := _take(source):
        if taken.flaw is None:
            if taken.fields:
                yield Record(line, "".join(taken.lines), taken.fields)
        else:
            for number, text in enumerate(taken.lines, start=line):
                alone = _take(iter([text]))
                if alone.fields or alone.flaw:
                    yield Record(number, text, alone.fields, alone.flaw)
        line += len(taken.lines)


@dataclass(slots=True)
class _Taken:
    """What one record took from the lines."""

    lines: list[str]
    fields: list[str]
    flaw: str | None = None

    def __bool__(self) -> bool:
        return bool(self.lines)


def _take(source: Iterator[str]) -> _Taken:
    """Take the lines of one record; none when there are no more."""
    taken = _Taken([], [])

    def tape() -> Iterator[str]:
        characters = 0
        for line in source:
            taken.lines.append(line)
            characters += len(line)
            if characters > LONGEST_RECORD:
                taken.flaw = f"longer than {LONGEST_RECORD:,} characters"
                return
            yield line
        # Asked for more than there is, inside quotes. The reader would close them in silence.
        taken.flaw = "a quote is not closed" if taken.lines else None

    taken.fields = next(csv.reader(tape()), [])
    if taken.flaw:
        taken.fields = []
    return taken


def _lines(file: TextIO) -> Iterator[str]:
    """Yield lines with their ends; of one that is too long for a record, the beginning."""
    while line := file.readline(LONGEST_RECORD + 1):
        yield line
        while line and line[-1] not in "\r\n":
            line = file.readline(LONGEST_RECORD + 1)


def column_names(header: Record) -> list[str]:
    """Return what a file's first record calls its columns."""
    return [name.strip() for name in header.fields]


def tenant_named(record: Record, columns: Sequence[str]) -> str | None:
    """Return what stands in the column `tenant`, None if that cannot be a name or the record ends before it."""
    at = columns.index("tenant")
    name = record.fields[at] if len(record.fields) > at else ""
    return name if name.strip() and len(name) <= LONGEST_NAME and "\0" not in name else None
