"""Marks: values nobody can guess, planted in one tenant's rows and payloads, and looked for everywhere else."""

import re
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from uuid import UUID

PREFIX = "cafe5afe"
"""What every mark begins with, so that all of them are found in one pass: hex, because that fits most columns."""
PATTERN = f"{PREFIX}[0-9a-f-]{{24,56}}"
"""A mark in text, spelled as hex or as a UUID. A regular expression for PostgreSQL and for Python."""

_IN_TEXT = re.compile(PATTERN.encode(), re.IGNORECASE)
_RAW = re.compile(re.escape(bytes.fromhex(PREFIX)) + rb".{12}", re.DOTALL)
_UUID = re.compile(rb"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)

PLACEHOLDER = PREFIX + "0" * 24
"""Stands in a payload for a mark that is still to be made, one for each tenant. As long as a mark."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A value of one tenant's."""

    owner: UUID
    """The tenant."""
    where: str
    """The table it stands in, or `the payload`."""
    is_data: bool
    """False for an id: it may be logged and sent, as long as it stays with its tenant."""


class MarkBook:
    """Every mark of a proof, and whose it is."""

    def __init__(self) -> None:
        self._marks: dict[str, Mark] = {}

    def make(self, owner: UUID, where: str, *, digits: int = 32) -> str:
        """Return a new mark of so many hex digits. Its first 32 are a UUID too."""
        random = secrets.token_hex(digits // 2)
        digits_ = f"{PREFIX}{random[8:12]}4{random[13:16]}8{random[17:]}"
        self._marks[digits_] = Mark(owner, where, is_data=True)
        return digits_

    def own(self, owner: UUID, ids: Iterable[str], where: str) -> None:
        """Enter UUIDs that are this tenant's alone; those that are known stay as they are."""
        for each in ids:
            self._marks.setdefault(_key(each), Mark(owner, where, is_data=False))

    def get(self, spelled: str) -> Mark | None:
        """Return the mark that a text is, None when it is none."""
        return self._marks.get(_key(spelled))

    def find(self, data: bytes) -> Iterator[Mark]:
        """Yield the marks that stand in `data`: in text as hex or as a UUID, or as the bytes they spell."""
        for pattern in (_IN_TEXT, _UUID):
            for match in pattern.finditer(data):
                yield from self._known(match[0].decode())
        for match in _RAW.finditer(data):
            yield from self._known(match[0].hex())

    def find_field(self, value: bytes) -> Iterator[Mark]:
        """Yield the marks in one value of a row, where 16 bytes may be a UUID."""
        if len(value) == 16:
            yield from self._known(value.hex())
        yield from self.find(value)

    def _known(self, spelled: str) -> Iterator[Mark]:
        mark = self.get(spelled)
        if mark is not None:
            yield mark


def _key(spelled: str) -> str:
    return spelled.lower().replace("-", "")
