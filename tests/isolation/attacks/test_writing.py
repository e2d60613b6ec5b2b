"""Attacks that write: into B's rows, over them, or A's rows into B's hands."""

import pytest

from tests.isolation.attacks.attack import attacks_on
from tests.isolation.attacks.families import Family
from tests.isolation.attacks.weakness import NO_POLICIES, SUPERUSER, Weakness, granted

insert = attacks_on("insert", NO_POLICIES)
update = attacks_on("update", NO_POLICIES)
delete = attacks_on("delete", NO_POLICIES)
upsert = attacks_on("upsert", NO_POLICIES)
give = attacks_on("rows given away", NO_POLICIES)
platform = attacks_on("platform tables written", SUPERUSER)
truncate = attacks_on("truncate", granted("truncate on app.comments"))

CASCADE_BY_ID_ALONE = Weakness(
    "chunks belong to a file by its id alone",
    (
        "alter table app.file_chunks drop constraint file_chunks_belong_to_a_file",
        "create unique index files_of_b on app.files (id) where tenant_id <> '00000000-0000-0000-0000-000000000000'",
        "alter table app.files drop constraint files_pkey cascade",
        "drop index app.files_of_b",
        "alter table app.files add constraint files_id_is_unique unique (id)",
        (
            "alter table app.file_chunks add constraint by_id foreign key (file_id) references app.files (id)"
            " on update cascade on delete cascade"
        ),
    ),
    (),
)

ATTACKS = (
    insert("a note for B", "insert into app.notes (tenant_id, body) values ('{b}', 'planted')"),
    insert(
        "notes for every tenant",
        "insert into app.notes (tenant_id, body) select tenant_id, 'x' from app.notes",
        "insert into app.notes (tenant_id, body) values ('{b}', 'x')",
    ),
    insert(
        "a note in the middle of a query",
        "with planted as (insert into app.notes (tenant_id, body) values ('{b}', 'x') returning 1) table planted",
    ),
    insert("a copy in", "copy app.notes (tenant_id, body) from stdin\n{b}\tplanted"),
    insert(
        "a comment on B's note as B",
        "insert into app.comments (tenant_id, note_id, body) values ('{b}', '{b_plain_note}', 'x')",
    ),
    insert(
        "a chunk into B's file",
        "insert into app.file_chunks (tenant_id, file_id, position, data) values ('{b}', '{b_file}', 9, 'x')",
    ),
    insert("a draft where B has none", "insert into app.drafts (tenant_id, body) values ('{b}', 'planted')"),
    insert(
        "a file that B will believe",
        "insert into app.files (tenant_id, name, size_bytes, sha256) values ('{b}', 'x.csv', 0, repeat('a', 64))",
    ),
    insert(
        "an order for B",
        "insert into app.orders (tenant_id, file_sha256, file_line, line, order_id, customer_id, ordered_at, sku,"
        " description, quantity, unit_price) values ('{b}', decode(repeat('ab', 32), 'hex'), 1, 1, 'x', 'x', now(),"
        " 'x', 'x', 1, 1)",
    ),
    #
    update("every row changed", "update app.notes set body = 'overwritten'"),
    update("rows of B", "update app.notes set body = 'overwritten' where tenant_id = '{b}'"),
    update("a row by half its key changed", "update app.notes set body = 'overwritten' where id = '{b_plain_note}'"),
    update(
        "changed by a join",
        "update app.notes as theirs set body = mine.body from app.comments as mine"
        " where theirs.tenant_id <> mine.tenant_id",
    ),
    update(
        "a cursor's row",
        "declare c cursor for select body from app.comments for update",
        "move 2 in c",
        "update app.comments set body = 'overwritten' where current of c",
        "move -1 in c",
        "update app.comments set body = 'overwritten' where current of c",
    ),
    update("bytes of a file", "update app.file_chunks set data = 'overwritten'"),
    update("a file renamed", "update app.files set name = 'other.csv' where id = '{b_file}'"),
    update(
        "changed by a merge",
        "merge into app.notes as theirs using app.comments as mine on theirs.tenant_id <> mine.tenant_id"
        " when matched then update set body = 'overwritten'",
    ),
    #
    delete("every row deleted", "delete from app.comments", "delete from app.notes"),
    delete("a row of B", "delete from app.events where tenant_id = '{b}'"),
    delete("a row by half its key deleted", "delete from app.accounts where email <> ''"),
    delete(
        "deleted by a join",
        "delete from app.orders using app.comments as mine where orders.tenant_id <> mine.tenant_id",
    ),
    delete(
        "deleted by a merge",
        "merge into app.orders as theirs using app.comments as mine on theirs.tenant_id <> mine.tenant_id"
        " when matched then delete",
    ),
    delete(
        "in the middle of a query", "with gone as (delete from app.rejected_rows returning 1) select count(*) from gone"
    ),
    delete(
        "a cascade from a file that has the id of B's",
        "insert into app.files (tenant_id, id, name, size_bytes, sha256)"
        " values ('{a}', '{b_file}', 'same.csv', 0, repeat('c', 64))",
        "update app.files set id = '{nobody}' where id = '{b_file}'",
        "delete from app.files where id in ('{nobody}', '{b_file}')",
        opened_by=(NO_POLICIES, CASCADE_BY_ID_ALONE),
    ),
    #
    upsert(
        "over a row of B's",
        "insert into app.notes (tenant_id, id, body) values ('{b}', '{b_plain_note}', 'x')"
        " on conflict (tenant_id, id) do update set body = 'overwritten'",
    ),
    upsert(
        "over an account of B's",
        "insert into app.accounts (tenant_id, email) values ('{b}', '{b_email}')"
        " on conflict on constraint accounts_email_is_unique do update set email = 'taken over'",
    ),
    upsert(
        "a merge that plants",
        "merge into app.notes as theirs using (select '{nobody}'::uuid as id) as new on theirs.id = new.id"
        " when not matched then insert (tenant_id, id, body) values ('{b}', new.id, 'planted')",
    ),
    #
    give("all of A's rows at once, without a condition", "update app.notes set tenant_id = '{b}'"),
    give("one row", "update app.accounts set tenant_id = '{b}' where email = 'mine@a.example'"),
    give(
        "by the default",
        "select set_config('partywall.token', '{b}', true)",
        "insert into app.notes (tenant_id, body) values ('{b}', 'x')",
    ),
    give("a whole file", "update app.file_chunks set tenant_id = '{b}', position = 7, file_id = '{b_file}'"),
    give("through a foreign key", "update app.comments set (tenant_id, note_id) = ('{b}', '{b_plain_note}')"),
    #
    truncate("a table", "truncate app.comments"),
    truncate("a table and what depends on it", "truncate app.notes cascade", opened_by=(SUPERUSER,)),
    #
    platform("a job's state", "update partywall.jobs set state = 'queued' where tenant_id = '{b}'"),
    platform("a job deleted", "delete from partywall.jobs where id = '{b_dispatched_job}'"),
    platform(
        "a job for B",
        "insert into partywall.jobs (tenant_id, task_name, queue, state, max_attempts, run_at, payload)"
        " values ('{b}', 'x', 'default', 'queued', 1, now(), '[]')",
    ),
    platform("a job of A's own given away", "update partywall.jobs set tenant_id = '{b}' where id = '{a_job}'"),
    platform("B suspended", "update partywall.tenants set status = 'suspended' where id = '{b}'"),
    platform(
        "an API key for B",
        "insert into partywall_private.api_keys (tenant_id, id, label, secret_proof)"
        " values ('{b}', 'aaaaaaaaaaaaaaaa', 'x', sha256(sha256('known')))",
    ),
    platform(
        "a signing key that A knows",
        "insert into partywall_private.signing_keys (inner_pad, outer_pad) values ('known', 'known')",
    ),
    platform("a retired key back to life", "update partywall_private.signing_keys set retired_at = null"),
)


@pytest.mark.parametrize("attack", ATTACKS, ids=str)
class TestWriting(Family):
    """None of them changes anything of B's."""
