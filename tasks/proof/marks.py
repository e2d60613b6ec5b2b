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
PLACEHOLDER = PREFIX + "0000" + "4000" + "8000" + "0" * 12
"""Stands in a payload for a mark that is still to be made, one for each tenant. As long as a mark."""
ID_PLACEHOLDER = str(UUID(PLACEHOLDER))
"""The same where an id is wanted."""

_IN_TEXT = re.compile(PATTERN.encode(), re.IGNORECASE)
_RAW = re.compile(re.escape(bytes.fromhex(PREFIX)))
_UUID = re.compile(rb"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Mark:
    """A value of one tenant's."""

    digits: str
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
        self._public: set[str] = set()

    def make(self, owner: UUID, where: str, *, digits: int = 32, is_data: bool = True) -> str:
        """Return a new mark of so many hex digits. Its first 32 are a UUID too."""
        random = secrets.token_hex(digits // 2)
        made = f"{PREFIX}{random[8:12]}4{random[13:16]}8{random[17:]}"
        self._marks[made] = Mark(made, owner, where, is_data)
        return made

    def own(self, owner: UUID, ids: Iterable[str], where: str) -> None:
        """Enter ids that are one tenant's; those that are known stay as they are."""
        for digits in map(_digits, ids):
            if digits not in self._public:
                self._marks.setdefault(digits, Mark(digits, owner, where, is_data=False))

    def publish(self, ids: Iterable[str]) -> None:
        """Strike out ids that both tenants have by themselves: made from the same content, or given with a payload."""
        for digits in map(_digits, ids):
            mark = self._marks.get(digits)
            if mark is None or not mark.is_data:
                self._public.add(digits)
                self._marks.pop(digits, None)

    def holds(self, mark: Mark) -> bool:
        """Return whether a mark that was found is still one."""
        return mark.digits in self._marks

    def get(self, spelled: str) -> Mark | None:
        """Return the mark that a text is, None when it is none."""
        return self._marks.get(_digits(spelled))

    def find(self, data: bytes) -> Iterator[Mark]:
        """Yield the marks that stand in `data`: in text as hex or as a UUID, or as the bytes they spell."""
        found = [*(match[0].decode() for pattern in (_IN_TEXT, _UUID) for match in pattern.finditer(data))]
        found += [data[match.start() :][:length].hex() for match in _RAW.finditer(data) for length in (16, 32)]
        for spelled in found:
            mark = self.get(spelled)
            if mark is not None:
                yield mark

    def find_field(self, value: bytes) -> Iterator[Mark]:
        """Yield the marks in one value of a row, where 16 bytes may be a UUID."""
        mark = self.get(value.hex()) if len(value) == 16 else None
        if mark is not None:
            yield mark
        yield from self.find(value)


def ids_in(text: str) -> set[str]:
    """Return every UUID that stands in a text."""
    return {match[0].decode() for match in _UUID.finditer(text.encode())}


def _digits(spelled: str) -> str:
    return spelled.lower().replace("-", "")
