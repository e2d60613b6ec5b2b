"""Cutting one file into many: a part holds records of one tenant, each as it stood in the file.

In front of each record stands one more column, `line`: where the record starts in the original.
"""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from cli.demo.records import Record, column_names, opened, tenant_named

ROWS_PER_PART = 5_000
CHARACTERS_PER_PART = 4 * 1024 * 1024
CHARACTERS_IN_MEMORY = 16 * 1024
"""Of each tenant; then they go to disk."""


@dataclass(frozen=True, slots=True)
class Part:
    """One file, whole and closed."""

    tenant: str
    number: int
    """From 1 for each tenant."""
    path: Path
    rows: int


@dataclass(frozen=True, slots=True)
class Unassigned:
    """A record that is in no part, because nobody can tell whose it is."""

    line: int
    reason: str


def cut(
    source: Path, *, tenants: Collection[str], directory: Path, rows_per_part: int = ROWS_PER_PART
) -> Iterator[Part | Unassigned]:
    """Return each part once it is whole, and each record that is in none. No record is in two.

    Only the names in `tenants` are tenants. A part may be deleted as soon as it was returned.
    """
    parts_of: Counter[str] = Counter()
    open_parts: dict[str, _OpenPart] = {}
    with opened(source) as found:
        header = next(found)
        columns = column_names(header)
        for record in found:
            tenant = tenant_named(record, columns)
            if tenant is None or tenant not in tenants:
                yield Unassigned(record.line, _why_nobodys(record, tenant, len(columns)))
                continue
            if tenant not in open_parts:
                parts_of[tenant] += 1
                path = directory / f"{parts_of.total()}.csv"
                open_parts[tenant] = _OpenPart(tenant, parts_of[tenant], path, [f"line,{header.text}"])
            part = open_parts[tenant]
            part.add(record)
            if part.rows == rows_per_part or part.characters > CHARACTERS_PER_PART:
                yield open_parts.pop(tenant).close()
    for part in open_parts.values():
        yield part.close()


@dataclass
class _OpenPart:
    tenant: str
    number: int
    path: Path
    held: list[str]
    held_characters: int = 0
    characters: int = 0
    rows: int = 0

    def add(self, record: Record) -> None:
        self.held.append(f"{record.line},{record.text}")
        self.rows += 1
        self.characters += len(record.text)
        self.held_characters += len(record.text)
        if self.held_characters > CHARACTERS_IN_MEMORY:
            self._write()

    def _write(self) -> None:
        # Opened for each write: one file kept open per tenant would run into the limit of open files.
        with self.path.open("a", encoding="utf-8", newline="") as file:
            file.writelines(self.held)
        self.held.clear()
        self.held_characters = 0

    def close(self) -> Part:
        self._write()
        return Part(self.tenant, self.number, self.path, self.rows)


def _why_nobodys(record: Record, tenant: str | None, columns: int) -> str:
    if record.flaw is not None:
        return record.flaw
    surplus = len(record.fields) - columns
    if surplus == 0:
        return "no usable tenant"
    off = f"{abs(surplus)} {'field' if abs(surplus) == 1 else 'fields'} too {'many' if surplus > 0 else 'few'}"
    return f"{off}, and " + (f"no tenant is called {tenant[:40]!r}" if tenant is not None else "no usable tenant")
