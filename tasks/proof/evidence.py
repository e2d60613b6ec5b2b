"""What one run left to be seen, and what of it is a leak."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from db.snapshots import Change, RowPrint, Snapshot, compare
from tasks.proof.marks import Mark, MarkBook
from tasks.proof.messages import judge_messages
from tasks.proof.report import Leak, LeakKind
from tasks.proof.tenants import ProofTenant
from tasks.proof.tokens import tokens_in
from tasks.proof.watch import Heard

_TOLD_BY_A_JOB = ("result", "error", "checkpoint", "progress_note")
"""Columns of partywall.jobs that a body writes."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One run of a job for `tenant`, while `other` had nothing to do."""

    tenant: ProofTenant
    other: ProofTenant
    job_id: UUID
    job: Mapping[str, Any]
    """All that is kept of it."""
    before: Mapping[UUID, Snapshot]
    after: Mapping[UUID, Snapshot]
    heard: Heard
    heard_after: Heard
    """While the other tenant looked at the connection."""
    left: Sequence[str]
    """What it found there."""
    own_lines: int
    """Connections to PostgreSQL that the body left open."""
    shared: Sequence[tuple[str, str]]
    """Tables that all tenants see, and marks that came to stand in them."""
    log: str
    secrets: Sequence[str]
    """How the payload would look in a log."""

    @property
    def state(self) -> str:
        """What became of the job."""
        return str(self.job["state"])

    @property
    def changes(self) -> list[Change]:
        """Which rows of the tenant itself are not what they were, its job aside."""
        mine = self.tenant.id
        return compare(self.before[mine], self.after[mine], leave_out=frozenset({str(self.job_id)}))

    def leaks(self, book: MarkBook) -> Iterator[Leak]:
        """Yield every leak; the same one may come more than once."""
        yield from self._read(book)
        yield from self._kept(book)
        yield from self._wrote(book)
        yield from self._left()
        yield from self._sent()
        yield from self._logged(book)

    def _read(self, book: MarkBook) -> Iterator[Leak]:
        for mark in filter(book.holds, self.heard.foreign | self.heard_after.foreign):
            yield Leak(LeakKind.READ, f"read {mark.where} of the other tenant")
        if self.heard.kept_tokens:
            yield Leak(LeakKind.ENTERED, "entered the other tenant with a token kept from an earlier job")

    def _kept(self, book: MarkBook) -> Iterator[Leak]:
        for column in _TOLD_BY_A_JOB:
            for mark in book.find(json.dumps(self.job.get(column)).encode()):
                if mark.owner != self.tenant.id:
                    yield Leak(
                        LeakKind.KEPT, f"the {column} of its job holds a value of {mark.where} of the other tenant"
                    )
        before = self.before[self.tenant.id]
        for table, rows in self.after[self.tenant.id].items():
            for mark in _marks_of(rows - before.get(table, Counter()), book, leave_out=str(self.job_id)):
                if mark.owner != self.tenant.id:
                    yield Leak(LeakKind.KEPT, f"a row of {table} holds a value of {mark.where} of the other tenant")

    def _wrote(self, book: MarkBook) -> Iterator[Leak]:
        if self.other.id not in self.heard.late:
            for change in compare(self.before[self.other.id], self.after[self.other.id]):
                yield Leak(LeakKind.WROTE, f"{change.verb} rows of the other tenant in {change.table}")
        for table, spelled in self.shared:
            mark = book.get(spelled)
            if mark is not None:
                yield Leak(LeakKind.SHARED, f"left a value of {mark.where} in {table}, which all tenants see")

    def _left(self) -> Iterator[Leak]:
        for thing in self.left:
            yield Leak(LeakKind.LEFT, f"left on the connection: {thing}")
        if self.own_lines:
            yield Leak(LeakKind.LEFT, "left a connection of its own to PostgreSQL open")

    def _sent(self) -> Iterator[Leak]:
        for heard in (self.heard, self.heard_after):
            for mark in heard.data_sent:
                yield Leak(LeakKind.BROKER, f"sent a value of {mark.where} to the broker")
            if heard.secret_sent:
                yield Leak(LeakKind.BROKER, "sent its payload to the broker")
            for kind in heard.tokens_sent:
                yield Leak(LeakKind.BROKER, f"sent the token of a {kind} to the broker")
            yield from judge_messages(heard.envelopes, tenants=frozenset({heard.tenant, *heard.late}))

    def _logged(self, book: MarkBook) -> Iterator[Leak]:
        log = self.log.encode()
        for mark in book.find(log):
            if mark.is_data:
                yield Leak(LeakKind.LOG, f"a value of {mark.where} is in the log")
        if any(secret in self.log for secret in self.secrets):
            yield Leak(LeakKind.LOG, "its payload is in the log")
        if any(tokens_in(log)):
            yield Leak(LeakKind.LOG, "a token is in the log")


def _marks_of(rows: Iterable[RowPrint], book: MarkBook, *, leave_out: str) -> Iterator[Mark]:
    for row in rows:
        for spelled in row.marks | row.ids if leave_out not in row.ids else ():
            mark = book.get(spelled)
            if mark is not None:
                yield mark
