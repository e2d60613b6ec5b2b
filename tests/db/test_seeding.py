"""Looking at two tenants from outside: giving them rows full of marks, comparing what they have, erasing them."""

from collections.abc import Iterator
from functools import partial
from uuid import UUID

import pytest

from db.context import TenantContext
from db.observer import Observer, observing
from db.roles import Role
from db.snapshots import compare
from tasks.proof.marks import PATTERN, MarkBook
from tests.databases import Database, TestTenant
from tests.db.acting import as_owner

TABLES = """
    create type app.mood as enum ('calm', 'wild');
    create table app.kinds (id uuid not null primary key, name text not null);
    comment on table app.kinds is 'partywall: shared, the same for everybody';
    create table app.things (
        tenant_id  uuid not null default partywall.current_tenant_id(),
        id         uuid not null default partywall.uuid7(),
        kind_id    uuid not null references app.kinds (id),
        body       text not null,
        digest     text not null check (digest ~ '^[0-9a-f]{64}$'),
        bytes      bytea not null check (octet_length(bytes) = 32),
        state      text not null check (state in ('new', 'paid')),
        code       varchar(3) not null,
        mood       app.mood not null,
        data       jsonb not null,
        day        date not null check (extract(day from day) = 1),
        maybe      text,
        primary key (tenant_id, id)
    );
    create table app.parts (
        tenant_id  uuid not null default partywall.current_tenant_id(),
        thing_id   uuid not null,
        number     integer not null check (number > 0),
        note       text not null,
        primary key (tenant_id, thing_id, number),
        foreign key (tenant_id, thing_id) references app.things (tenant_id, id)
    );
    create table app.moody (
        tenant_id  uuid not null default partywall.current_tenant_id(),
        id         uuid not null default partywall.uuid7(),
        word       text not null check (word = 'a' and word = 'b'),
        primary key (tenant_id, id)
    );
    select partywall.protect('app.things');
    select partywall.protect('app.parts');
    select partywall.protect('app.moody');
"""


@pytest.fixture(scope="module", autouse=True)
def _tables(kept_database: Database) -> None:
    as_owner(kept_database, TABLES)


@pytest.fixture(params=["superuser", "owner"])
def observer(request: pytest.FixtureRequest, database: Database) -> Iterator[Observer]:
    """Somebody who looks, as either of those who can."""
    database.do("insert into app.kinds values (gen_random_uuid(), 'a kind')")
    url = database.admin_url if request.param == "superuser" else database.url(Role.MIGRATOR)
    with observing(url, mark_pattern=PATTERN) as made:
        yield made


def seed(observer: Observer, book: MarkBook, context: TenantContext) -> dict[str, str]:
    def mark(owner: UUID, table: str, digits: int) -> str:
        return book.make(owner, table, digits=digits)

    unseeded = observer.seed(context, mark=partial(mark, context.tenant_id))
    return {each.table: each.reason for each in unseeded}


def test_every_table_gets_a_row_with_marks_where_there_is_room(
    observer: Observer, database: Database, acme: TestTenant
) -> None:
    book = MarkBook()
    unseeded = seed(observer, book, acme.context)

    ((body, digest, sha256, maybe, data),) = database.ask(
        "select body, digest, encode(bytes, 'hex'), maybe, data->>'mark' from app.things"
    )
    for value in (body, digest, sha256, maybe, data):
        mark = book.get(str(value))
        assert mark is not None
        assert (mark.owner, mark.where) == (acme.id, "app.things")
    ((note,),) = database.ask("select note from app.parts")
    assert book.get(str(note)) is not None
    assert list(unseeded) == ["app.moody"]
    assert "check" in unseeded["app.moody"]


def test_what_happened_between_two_moments_is_told_by_table(
    observer: Observer, database: Database, acme: TestTenant, zeta: TestTenant
) -> None:
    for tenant in (acme, zeta):
        seed(observer, MarkBook(), tenant.context)
    before = {tenant.id: observer.snapshot(tenant.context) for tenant in (acme, zeta)}
    database.do("update app.parts set note = 'changed' where tenant_id = :tenant", tenant=acme.id)
    database.do("delete from app.orders where tenant_id = :tenant", tenant=acme.id)
    database.do(
        "insert into app.files (tenant_id, name, size_bytes, sha256) values (:tenant, 'a', 0, repeat('0', 64))",
        tenant=acme.id,
    )
    after = {tenant.id: observer.snapshot(tenant.context) for tenant in (acme, zeta)}

    assert [(each.table, each.verb, each.rows) for each in compare(before[acme.id], after[acme.id])] == [
        ("app.files", "added", 1),
        ("app.orders", "removed", 1),
        ("app.parts", "changed", 1),
    ]
    assert compare(before[zeta.id], after[zeta.id]) == []


def test_a_mark_in_a_table_of_all_tenants_is_seen(observer: Observer, database: Database, acme: TestTenant) -> None:
    mark = MarkBook().make(acme.id, "app.things")
    database.do("update app.kinds set name = 'about ' || :mark", mark=mark)

    assert observer.shared_marks() == [("app.kinds", mark)]


def test_an_erased_tenant_leaves_nothing_and_the_other_keeps_all(
    observer: Observer, database: Database, acme: TestTenant, zeta: TestTenant
) -> None:
    for tenant in (acme, zeta):
        seed(observer, MarkBook(), tenant.context)
    before = observer.snapshot(zeta.context)

    assert observer.erase(acme.context) == []
    assert database.ask("select slug from partywall.tenants") == [("zeta",)]
    assert database.ask("select count(*) from app.things where tenant_id = :tenant", tenant=acme.id) == [(0,)]
    assert observer.snapshot(zeta.context) == before
