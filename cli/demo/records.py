"""Orders as CSV, record by record, in the memory of the longest record. Knows nothing of Partywall."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

COLUMNS = ("tenant", "order_id", "customer_id", "ordered_at", "sku", "description", "quantity", "unit_price")


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


def records(lines: Iterable[str]) -> Iterator[Record]:
    """Return every record of a CSV text, its header included. Blank lines are none.

    `lines` must keep their ends: those inside quotes belong to the record.
    """
    taken: list[str] = []

    def tape() -> Iterator[str]:
        for line in lines:
            taken.append(line)
            yield line

    reader = csv.reader(tape())
    while True:
        fields: list[str] = []
        flaw = None
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            # A field over 128 KiB: most likely a quote that is never closed. The next line starts afresh.
            flaw = f"{error}; is a quote not closed?"
        if fields or flaw:
            yield Record(reader.line_num - len(taken) + 1, "".join(taken), fields, flaw)
        taken.clear()


@contextmanager
def opened(path: Path) -> Iterator[Iterator[Record]]:
    """Open a file as its records, header first. A byte order mark is dropped, line ends stay as they are."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        yield records(file)


def tenant_named(record: Record, header: Sequence[str]) -> str | None:
    """Return what stands in the column `tenant`, None if that is blank or the record ends before it."""
    at = header.index("tenant")
    if len(record.fields) <= at or not record.fields[at].strip():
        return None
    return record.fields[at]
