"""A Celery message as the broker gets it."""

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from amqp.serialization import loads

_BASE64 = re.compile(rb"[A-Za-z0-9+/]{32,}={0,2}")
_FIRST_PROPERTIES = "ssF"
"""The first of AMQP's basic properties: content type, content encoding, headers. Bit 15 of the flags is the first's."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """Where it goes, its headers and its body."""

    queue: str
    headers: Mapping[str, Any]
    body: bytes

    @property
    def task(self) -> str | None:
        """The task it names; None for an event."""
        name = self.headers.get("task")
        return name if isinstance(name, str) else None

    def arguments(self) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
        """Return the arguments it calls its task with; none where its body is not as Celery spells it."""
        try:
            args, kwargs, *_ = json.loads(self.body)
            return tuple(args), dict(kwargs)
        except (ValueError, TypeError):
            return (), {}


def from_redis(argument: bytes, *, queue: bytes) -> Envelope | None:
    """Return the message that an argument of a Redis command is, None when it is none."""
    if not argument.startswith(b'{"body":'):
        return None
    try:
        message = json.loads(argument)
        body = str(message["body"]).encode()
        is_base64 = message.get("properties", {}).get("body_encoding") == "base64"
        headers = dict(message.get("headers") or {})
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return Envelope(queue.decode(errors="replace"), headers, _plain(body) if is_base64 else body)


def from_amqp(method: bytes, properties: bytes, body: bytes) -> Envelope:
    """Return the message of AMQP's publish, content header and body."""
    _ticket, _exchange, queue = loads("Bss", method, 4)[0]
    return Envelope(queue, _headers(properties), body)


def decoded(data: bytes) -> Iterator[bytes]:
    """Yield the data, and whatever stands in it as base64: kombu wraps every body in it."""
    yield data
    for match in _BASE64.finditer(data):
        yield _plain(match[0])


def _headers(properties: bytes) -> Mapping[str, Any]:
    flags = int.from_bytes(properties[12:14])
    present = "".join(kind for place, kind in enumerate(_FIRST_PROPERTIES) if flags >> (15 - place) & 1)
    values, _ = loads(present, properties, 14)
    return dict(values[-1]) if present.endswith("F") else {}


def _plain(encoded: bytes) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error:
        return b""
