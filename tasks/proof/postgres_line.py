"""Reading along what one client and PostgreSQL say to each other."""

import re
import struct
from collections.abc import Iterator, Sequence
from typing import Protocol
from uuid import UUID

_ROW, _COPIED = b"D", b"d"
_TELLING = (_ROW, _COPIED, b"A", b"E", b"N")
"""What can carry a tenant's data: rows, COPY, notifications, errors, notices."""
_STATEMENTS = (b"Q", b"P", b"B")
"""A simple query, a parsed one, and what is bound to it."""
_ENCRYPTION_REQUESTS = (80877103, 80877104)
_DISCARD = re.compile(rb"\s*discard\s+all\b", re.IGNORECASE)


class PostgresListener(Protocol):
    """Who wants to know. Called from the tap's threads."""

    def opened(self, line: "PostgresLine") -> None:
        """Hear of a new connection."""

    def said(self, line: "PostgresLine", statement: bytes) -> None:
        """Hear a statement, or what is bound to one."""

    def told(self, line: "PostgresLine", values: Sequence[bytes], *, is_row: bool) -> None:
        """Hear an answer: the values of a row, or a message as one value."""


class PostgresLine:
    """One connection. Its messages are a byte that says which, a length, and so many bytes."""

    def __init__(self, listener: PostgresListener) -> None:
        self.is_open = True
        self.is_encrypted = False
        self.tenant: UUID | None = None
        """Whose context was entered last; the listener says so. DISCARD ALL forgets it."""
        self._listener = listener
        self._from_client, self._from_server = bytearray(), bytearray()
        self._has_started = False
        self._answers_to_encryption = 0
        listener.opened(self)

    def asked(self, data: bytes) -> None:
        """Hear the client."""
        if self.is_encrypted:
            return
        self._from_client += data
        if not self._has_started:
            self._start()
        if self._has_started:
            for kind, body in _messages(self._from_client):
                if kind in _STATEMENTS:
                    self._hear_statement(kind, body)

    def answered(self, data: bytes) -> None:
        """Hear the server."""
        if self.is_encrypted:
            return
        self._from_server += data
        while self._answers_to_encryption and self._from_server:
            self._answers_to_encryption -= 1
            self.is_encrypted |= self._from_server.pop(0) in b"SG"
        if not self._answers_to_encryption and not self.is_encrypted:
            for kind, body in _messages(self._from_server):
                if kind in _TELLING:
                    values = _values(body) if kind == _ROW else [body]
                    self._listener.told(self, values, is_row=kind in (_ROW, _COPIED))

    def closed(self) -> None:
        """Hear the end."""
        self.is_open = False

    def _start(self) -> None:
        """Take off what comes before the messages: requests to encrypt, answered by one byte each, and the login."""
        while len(self._from_client) >= 8 and not self._has_started:
            length, code = struct.unpack_from("!II", self._from_client)
            if len(self._from_client) < length:
                return
            del self._from_client[:length]
            if code in _ENCRYPTION_REQUESTS:
                self._answers_to_encryption += 1
            else:
                self._has_started = True

    def _hear_statement(self, kind: bytes, body: bytes) -> None:
        # A parsed statement has its name in front.
        text = body.split(b"\0", 1)[1] if kind == b"P" else body
        if kind != b"B" and _DISCARD.match(text):
            self.tenant = None
        self._listener.said(self, body)


def _messages(buffer: bytearray) -> Iterator[tuple[bytes, bytes]]:
    """Take every whole message off the buffer: which, and its body."""
    start = 0
    while len(buffer) - start >= 5:
        (length,) = struct.unpack_from("!I", buffer, start + 1)
        end = start + 1 + length
        if len(buffer) < end:
            break
        yield bytes(buffer[start : start + 1]), bytes(buffer[start + 5 : end])
        start = end
    del buffer[:start]


def _values(row: bytes) -> list[bytes]:
    (count,) = struct.unpack_from("!H", row)
    values, position = [], 2
    for _ in range(count):
        (length,) = struct.unpack_from("!i", row, position)
        position += 4
        if length >= 0:
            values.append(row[position : position + length])
            position += length
    return values
