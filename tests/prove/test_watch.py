"""Whose work it is that is heard, and whose fault."""

from uuid import UUID, uuid4

import pytest

from tasks.proof.marks import MarkBook
from tasks.proof.postgres_line import PostgresLine
from tasks.proof.watch import Watch, own_lines

A, B = uuid4(), uuid4()


def token(tenant: UUID, kind: str = "job") -> bytes:
    return f"pw1.1.{tenant}.{kind}/{uuid4()}/1.1700000000.{'0' * 64}".encode()


@pytest.fixture
def book() -> MarkBook:
    """An empty book."""
    return MarkBook()


@pytest.fixture
def watch(book: MarkBook) -> Watch:
    """Somebody who reads along."""
    return Watch(book)


def test_a_row_of_the_other_tenant_is_foreign_and_one_of_its_own_is_not(watch: Watch, book: MarkBook) -> None:
    line, heard = PostgresLine(watch), watch.begin(A)
    watch.said(line, token(A))
    for owner in (A, B):
        watch.told(line, [b"1", book.make(owner, f"of {owner}").encode()], is_row=True)

    assert [mark.owner for mark in heard.foreign] == [B]
    assert heard.rows_read == {A: 1}


def test_who_claims_a_job_that_is_late_may_read_its_payload(watch: Watch, book: MarkBook) -> None:
    line, heard = PostgresLine(watch), watch.begin(A)
    watch.told(line, [book.make(B, "the payload").encode(), token(B)], is_row=True)

    assert heard.foreign == set()


def test_work_of_the_other_tenant_that_begins_or_goes_on_is_not_this_ones(watch: Watch) -> None:
    line = PostgresLine(watch)
    watch.begin(B)
    watch.said(line, token(B))
    goes_on = watch.begin(A)
    line.tenant = None
    over = watch.begin(A)
    watch.said(PostgresLine(watch), token(B))

    assert goes_on.late == {B}
    assert (over.late, over.kept_tokens) == ({B}, set())
    line.closed()


def test_a_token_that_is_used_again_later_was_kept(watch: Watch) -> None:
    line, kept = PostgresLine(watch), token(B)
    watch.begin(B)
    watch.said(line, kept)
    line.tenant = None
    heard = watch.begin(A)
    watch.said(line, kept)

    assert (heard.late, heard.kept_tokens) == (set(), {B})


def test_a_connection_that_takes_anothers_place_is_nobodys_own(watch: Watch) -> None:
    pooled = PostgresLine(watch)
    before, heard = watch.open_lines(), watch.begin(A)
    replacing = PostgresLine(watch)
    pooled.closed()
    assert list(own_lines(heard, before)) == []

    own = PostgresLine(watch)
    assert list(own_lines(heard, before)) == [own]
    assert replacing.is_open


@pytest.mark.parametrize(
    ("kind", "seen"), [("job", {"job"}), ("key", {"key"}), ("operator", {"operator"}), ("call", set())]
)
def test_no_token_but_a_calls_goes_to_the_broker(watch: Watch, kind: str, seen: set[str]) -> None:
    heard = watch.begin(A)
    watch.sent(b"PUBLISH " + token(A, kind))

    assert heard.tokens_sent == seen


def test_the_dispatchers_messages_are_looked_into_and_not_asked_whose_they_are(watch: Watch, book: MarkBook) -> None:
    heard, reader = watch.begin(A), watch.on_dispatcher()
    mark = book.make(B, "app.notes").encode()
    message = b'{"body": "' + mark + b'", "headers": {"task": "notes.write"}}'
    reader.asked(b"*3\r\n$5\r\nLPUSH\r\n$7\r\ndefault\r\n$%d\r\n%s\r\n" % (len(message), message))

    assert heard.envelopes == []
    assert {found.where for found in heard.data_sent} == {"app.notes"}
