"""Reading along what one client tells the broker: Redis or RabbitMQ, whichever language it begins in."""

import struct
from collections.abc import Iterator
from typing import Protocol

from tasks.proof.envelope import Envelope, from_amqp, from_redis

_AMQP_GREETING = 8
_METHOD, _HEADER, _BODY = 1, 2, 3
_PUBLISH = (60, 40)


class BrokerListener(Protocol):
    """Who wants to know. Called from the tap's threads."""

    def sent(self, data: bytes) -> None:
        """Hear whatever was sent, in pieces of a command each."""

    def published(self, envelope: Envelope) -> None:
        """Hear a message, besides its bytes."""


class BrokerLine:
    """One connection."""

    def __init__(self, listener: BrokerListener) -> None:
        self._listener = listener
        self._buffer = bytearray()
        self._speaks_amqp: bool | None = None
        self._method, self._properties, self._body, self._missing = b"", b"", bytearray(), 0

    def asked(self, data: bytes) -> None:
        """Hear the client."""
        self._buffer += data
        if self._speaks_amqp is None:
            if len(self._buffer) < _AMQP_GREETING:
                return
            self._speaks_amqp = self._buffer.startswith(b"AMQP")
            if self._speaks_amqp:
                del self._buffer[:_AMQP_GREETING]
        if self._speaks_amqp:
            for kind, payload in _frames(self._buffer):
                self._hear_frame(kind, payload)
        else:
            for command in _commands(self._buffer):
                self._hear_command(command)

    def answered(self, data: bytes) -> None:
        """Leave out what the broker says: somebody sent it before."""

    def closed(self) -> None:
        """Hear the end, of which nothing follows."""

    def _hear_command(self, command: list[bytes]) -> None:
        for argument in command:
            self._listener.sent(argument)
            envelope = from_redis(argument, queue=command[1] if len(command) > 1 else b"")
            if envelope is not None:
                self._listener.published(envelope)

    def _hear_frame(self, kind: int, payload: bytes) -> None:
        self._listener.sent(payload)
        if kind == _METHOD and struct.unpack_from("!HH", payload) == _PUBLISH:
            self._method = payload
        elif kind == _HEADER:
            (self._missing,) = struct.unpack_from("!Q", payload, 4)
            self._properties, self._body = payload, bytearray()
            self._end_message()
        elif kind == _BODY:
            self._body += payload
            self._missing -= len(payload)
            self._end_message()

    def _end_message(self) -> None:
        if self._missing == 0:
            self._listener.published(from_amqp(self._method, self._properties, bytes(self._body)))


def _commands(buffer: bytearray) -> Iterator[list[bytes]]:
    """Take every whole Redis command off the buffer: its words."""
    while (found := _command(buffer)) is not None:
        words, end = found
        yield words
        del buffer[:end]


def _command(buffer: bytearray) -> tuple[list[bytes], int] | None:
    count, position = _number(buffer, 0)
    words: list[bytes] = []
    while position and len(words) < count:
        length, start = _number(buffer, position)
        position = start + length + 2
        if not start or len(buffer) < position:
            return None
        words.append(bytes(buffer[start : start + length]))
    return (words, position) if position else None


def _number(buffer: bytearray, start: int) -> tuple[int, int]:
    """Return the number in a line like `*3` or `$5`, and where the next line begins; 0 when it is not whole."""
    end = buffer.find(b"\r\n", start)
    return (int(buffer[start + 1 : end]), end + 2) if end > start else (0, 0)


def _frames(buffer: bytearray) -> Iterator[tuple[int, bytes]]:
    """Take every whole AMQP frame off the buffer: its type and payload."""
    while len(buffer) >= 8:
        kind, _channel, size = struct.unpack_from("!BHI", buffer)
        if len(buffer) < size + 8:
            return
        yield kind, bytes(buffer[7 : 7 + size])
        del buffer[: size + 8]
