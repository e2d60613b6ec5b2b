"""Reading along on a connection, whatever pieces it comes in."""

import base64
import json
import struct
from collections.abc import Sequence
from uuid import UUID, uuid4

import pytest

from tasks.proof.broker_line import BrokerLine
from tasks.proof.envelope import Envelope
from tasks.proof.postgres_line import PostgresLine
from tasks.proof.tokens import tokens_in

TENANT = uuid4()
TOKEN = f"pw1.1.{TENANT}.job/{uuid4()}/1.1700000000.{'0' * 64}"


class Listener:
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.statements: list[bytes] = []
        self.answers: list[tuple[list[bytes], bool]] = []
        self.pieces: list[bytes] = []
        self.envelopes: list[Envelope] = []

    def opened(self, line: PostgresLine) -> None: ...

    def said(self, line: PostgresLine, statement: bytes) -> None:
        self.statements.append(statement)

    def told(self, line: PostgresLine, values: Sequence[bytes], *, is_row: bool) -> None:
        self.answers.append((list(values), is_row))

    def sent(self, data: bytes) -> None:
        self.pieces.append(data)

    def published(self, envelope: Envelope) -> None:
        self.envelopes.append(envelope)


def message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body


def row(*values: bytes | None) -> bytes:
    fields = [struct.pack("!i", -1) if each is None else struct.pack("!i", len(each)) + each for each in values]
    return message(b"D", struct.pack("!H", len(values)) + b"".join(fields))


LOGIN = struct.pack("!II", 20, 196608) + b"user\0worker\0"
SSL_REQUEST = struct.pack("!II", 8, 80877103)

pieces = pytest.mark.parametrize("size", [1, 7, 10_000])


def feed(hear: object, data: bytes, size: int) -> None:
    assert callable(hear)
    for start in range(0, len(data), size):
        hear(data[start : start + size])


@pieces
def test_rows_are_told_value_by_value(size: int) -> None:
    listener = Listener()
    line = PostgresLine(listener)
    feed(line.asked, LOGIN + message(b"Q", b"select body, null from app.notes\0"), size)
    feed(
        line.answered, row(b"hello", None) + message(b"C", b"SELECT 1\0") + message(b"A", b"\0\0\0\1c\0gossip\0"), size
    )

    assert listener.statements == [b"select body, null from app.notes\0"]
    assert listener.answers == [([b"hello"], True), ([b"\0\0\0\1c\0gossip\0"], False)]


@pieces
def test_a_server_without_tls_is_read_after_it_said_so(size: int) -> None:
    listener = Listener()
    line = PostgresLine(listener)
    feed(line.asked, SSL_REQUEST, size)
    feed(line.answered, b"N", size)
    feed(line.asked, LOGIN, size)
    feed(line.answered, row(b"hello"), size)

    assert not line.is_encrypted
    assert listener.answers == [([b"hello"], True)]


def test_what_is_encrypted_is_not_taken_for_messages() -> None:
    listener = Listener()
    line = PostgresLine(listener)
    line.asked(SSL_REQUEST)
    line.answered(b"S")
    line.asked(b"\x16\x03\x01" + bytes(100))
    line.answered(b"\x16\x03\x03" + bytes(100))

    assert line.is_encrypted
    assert listener.answers == []


@pytest.mark.parametrize("statement", [b"discard all\0", b"  DISCARD  ALL\0"])
@pytest.mark.parametrize("kind", [b"Q", b"P"])
def test_a_connection_is_nobodys_after_discard_all(kind: bytes, statement: bytes) -> None:
    line = PostgresLine(Listener())
    line.asked(LOGIN)
    line.tenant = TENANT
    line.asked(message(kind, (b"" if kind == b"Q" else b"name\0") + statement))

    assert line.tenant is None


def command(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


@pieces
def test_a_message_to_redis_is_read(size: int) -> None:
    body = base64.b64encode(b'[[], {"id": 1}, {}]').decode()
    spelled = json.dumps(
        {"body": body, "headers": {"task": "notes.write"}, "properties": {"body_encoding": "base64"}}
    ).encode()
    listener = Listener()
    feed(BrokerLine(listener).asked, command(b"PING") + command(b"LPUSH", b"default", spelled), size)

    assert listener.pieces == [b"PING", b"LPUSH", b"default", spelled]
    (envelope,) = listener.envelopes
    assert (envelope.queue, envelope.task, envelope.arguments()) == ("default", "notes.write", ((), {"id": 1}))


@pieces
def test_what_is_no_message_is_only_heard(size: int) -> None:
    listener = Listener()
    feed(
        BrokerLine(listener).asked,
        command(b"SET", b"cache", b"\r\n*3\r\n$1") + command(b"LPUSH", b"q", b'{"body":'),
        size,
    )

    assert listener.pieces == [b"SET", b"cache", b"\r\n*3\r\n$1", b"LPUSH", b"q", b'{"body":']
    assert listener.envelopes == []


def test_a_token_is_recognised_with_its_tenant_and_kind() -> None:
    found = list(tokens_in(b"x" + TOKEN.encode() + b"\0"))

    assert [(each.spelled, each.tenant, each.kind) for each in found] == [(TOKEN.encode(), UUID(str(TENANT)), "job")]
