"""Everything that was heard while one tenant had the worker to itself."""

import re
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from tasks.proof.broker_line import BrokerLine
from tasks.proof.envelope import Envelope, decoded
from tasks.proof.marks import Mark, MarkBook
from tasks.proof.postgres_line import PostgresLine
from tasks.proof.tap import Reader
from tasks.proof.tokens import SeenToken, tokens_in

# PostgreSQL lists settings of one's own nowhere, so every name with a dot in it could be one.
_SETTING = re.compile(rb"[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*", re.IGNORECASE)
MOST_SETTINGS = 2_000


@dataclass
class Heard:
    """What was heard in one window. `tenant` is whose it was, `secrets` are texts that may not go to the broker."""

    tenant: UUID
    secrets: Sequence[bytes] = ()
    foreign: set[Mark] = field(default_factory=set)
    """Marks that PostgreSQL sent to a connection in another tenant's context."""
    rows_read: Counter[UUID] = field(default_factory=Counter)
    """Rows with a mark of their tenant that PostgreSQL sent in that tenant's context."""
    late: set[UUID] = field(default_factory=set)
    """Other tenants whose work went on in this window, though it is not theirs."""
    kept_tokens: set[UUID] = field(default_factory=set)
    """Other tenants whose context was entered with a token of an earlier window."""
    settings: set[str] = field(default_factory=set)
    opened: list[PostgresLine] = field(default_factory=list)
    data_sent: set[Mark] = field(default_factory=set)
    """Marks of anybody's data that went to the broker."""
    secret_sent: bool = False
    tokens_sent: set[str] = field(default_factory=set)
    """Kinds of tokens that went to the broker and are not for it."""
    envelopes: list[Envelope] = field(default_factory=list)


class Watch:
    """Reads along on every tap. One window at a time: a tenant, and all that happens until the next."""

    def __init__(self, book: MarkBook) -> None:
        self._book = book
        self._lock = threading.Lock()
        self._heard: Heard | None = None
        self._lines: list[PostgresLine] = []
        self._entered: dict[bytes, int] = {}
        """Tokens by the window that they were first used in."""
        self._window = 0

    def on_postgres(self) -> Reader:
        """Return a reader for a new connection to PostgreSQL."""
        return PostgresLine(self)

    def on_broker(self) -> Reader:
        """Return a reader for a new connection of a worker to the broker."""
        return BrokerLine(self)

    def on_dispatcher(self) -> Reader:
        """Return a reader for a new connection of the dispatcher, whose messages are for whoever has a job."""
        return BrokerLine(_Dispatcher(self))

    def begin(self, tenant: UUID, *, secrets: Sequence[str] = ()) -> Heard:
        """Begin the tenant's window; return what is going to be heard in it."""
        with self._lock:
            self._window += 1
            # Work of the other tenant that is not over: what it is going to write is not this one's doing.
            busy = {line.tenant for line in self._lines if line.is_open and line.tenant is not None} - {tenant}
            self._heard = Heard(tenant, [secret.encode() for secret in secrets], late=busy)
            return self._heard

    def open_lines(self) -> list[PostgresLine]:
        """Return the connections to PostgreSQL that are open now."""
        with self._lock:
            self._lines = [line for line in self._lines if line.is_open]
            return list(self._lines)

    # Below: called from the taps' threads.

    def opened(self, line: PostgresLine) -> None:
        """Hear of a new connection to PostgreSQL."""
        with self._lock:
            self._lines.append(line)
            if self._heard is not None:
                self._heard.opened.append(line)

    def said(self, line: PostgresLine, statement: bytes) -> None:
        """Hear what a worker says to PostgreSQL."""
        with self._lock:
            for token in tokens_in(statement):
                self._hear_entering(line, token)
            if self._heard is not None and len(self._heard.settings) < MOST_SETTINGS:
                self._heard.settings |= {match[0].decode().lower() for match in _SETTING.finditer(statement)}

    def told(self, line: PostgresLine, values: Sequence[bytes], *, is_row: bool) -> None:
        """Hear what PostgreSQL says to a worker."""
        with self._lock:
            tokens = [token for value in values for token in tokens_in(value)]
            if self._heard is None:
                return
            # Whoever claims a job is in nobody's context yet; the token in the same row says whose the payload is.
            whose = tokens[0].tenant if tokens else line.tenant or self._heard.tenant
            marks = {mark for value in values for mark in self._book.find_field(value)}
            self._heard.foreign |= {mark for mark in marks if mark.owner != whose}
            if is_row and line.tenant is not None and any(mark.owner == whose for mark in marks):
                self._heard.rows_read[whose] += 1

    def sent(self, data: bytes) -> None:
        """Hear what anybody sends to the broker."""
        with self._lock:
            for piece in decoded(data):
                if self._heard is not None:
                    # The token of a call is what lets it into its tenant; no other has to travel.
                    self._heard.tokens_sent |= {token.kind for token in tokens_in(piece)} - {"call"}
                    self._heard.data_sent |= {mark for mark in self._book.find(piece) if mark.is_data}
                    self._heard.secret_sent |= any(secret in piece for secret in self._heard.secrets)

    def published(self, envelope: Envelope) -> None:
        """Hear a message on its way to the broker."""
        with self._lock:
            if self._heard is not None:
                self._heard.envelopes.append(envelope)

    def _hear_entering(self, line: PostgresLine, token: SeenToken) -> None:
        line.tenant = token.tenant
        first = self._entered.setdefault(token.spelled, self._window)
        if self._heard is not None and token.tenant != self._heard.tenant:
            # A job or a call that was late brings a token of its own. One that was used before was kept by somebody.
            (self._heard.late if first == self._window else self._heard.kept_tokens).add(token.tenant)


class _Dispatcher:
    """Hears what a dispatcher sends, and not whose it is."""

    def __init__(self, watch: Watch) -> None:
        self.sent = watch.sent

    def published(self, envelope: Envelope) -> None:
        """Leave it to PostgreSQL, which says whose turn it is."""


def own_lines(heard: Heard, before: Sequence[PostgresLine]) -> Iterator[PostgresLine]:
    """Yield the connections that were opened in the window and stay open without taking the place of another."""
    staying = [line for line in heard.opened if line.is_open]
    replaced = sum(not line.is_open for line in before)
    yield from staying[replaced:]
