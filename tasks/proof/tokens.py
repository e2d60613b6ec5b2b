"""Recognising tenant tokens in what passes by. Whether one is good, only PostgreSQL can tell."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

_TOKEN = re.compile(
    rb"pw1\.\d{1,9}\.(?P<tenant>[0-9a-f-]{36})\.(?P<subject>[a-z]+/[\w./-]*?)\.\d+\.[0-9a-f]{64}", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class SeenToken:
    """A token that passed by."""

    spelled: bytes
    tenant: UUID
    kind: str
    """What its subject begins with: `job`, `call`, `key` or `operator`."""


def tokens_in(data: bytes) -> Iterator[SeenToken]:
    """Yield every token in `data`."""
    for match in _TOKEN.finditer(data):
        kind = match["subject"].partition(b"/")[0].decode()
        yield SeenToken(match[0], UUID(match["tenant"].decode()), kind)
