"""Attacks that count, and attacks that ask a question about B and read the answer from what happens."""

import pytest

from tests.isolation.attacks.attack import attacks_on
from tests.isolation.attacks.families import Family
from tests.isolation.attacks.weakness import NO_POLICIES, SUPERUSER, Weakness, granted, replaced

count = attacks_on("counting", NO_POLICIES)
condition = attacks_on("conditions", NO_POLICIES)

UNIQUE_FOR_ALL = Weakness(
    "an e-mail address is unique among all tenants",
    ("alter table app.accounts add constraint email_of_all unique (email)",),
    ("alter table app.accounts drop constraint email_of_all",),
)
REFERENCE_BY_ID_ALONE = Weakness(
    "a comment names its note by the id alone",
    (
        "alter table app.notes add constraint id_of_all unique (id)",
        "alter table app.comments drop constraint comments_belong_to_a_note",
        "alter table app.comments add constraint by_id foreign key (note_id) references app.notes (id)",
    ),
    (
        "alter table app.comments drop constraint by_id",
        "delete from app.comments where body = 'x'",
        "alter table app.notes drop constraint id_of_all",
        (
            "alter table app.comments add constraint comments_belong_to_a_note"
            " foreign key (tenant_id, note_id) references app.notes (tenant_id, id)"
        ),
    ),
)
NUMBERED = Weakness(
    "rows are numbered across tenants",
    (
        "create sequence app.numbers start 1237",
        "alter table app.accounts add column number bigint not null default nextval('app.numbers')",
        "grant usage on sequence app.numbers to partywall_worker",
    ),
    ("alter table app.accounts drop column number", "drop sequence app.numbers"),
)

CLAIM_THAT_TELLS = replaced(
    "partywall.claim(uuid, uuid[], uuid, text, text, uuid, interval, interval)",
    "create or replace function partywall.claim("
    "    tenant uuid, job_ids uuid[], nonce uuid, task text, claimed_by text, claimed_by_id uuid,"
    "    lease interval, lifetime interval"
    ") returns table ("
    "    job_id uuid, attempt integer, max_attempts integer, payload jsonb, checkpoint jsonb,"
    "    tenant_slug text, tenant_name text, lease_expires_at timestamptz, token text"
    ") language plpgsql security definer set search_path = pg_catalog, pg_temp"
    " as $$ begin perform partywall_private.require_active_tenant(tenant, false); end $$",
)

unique = attacks_on("unique indexes", UNIQUE_FOR_ALL)
reference = attacks_on("foreign keys", REFERENCE_BY_ID_ALONE)
sequence = attacks_on("sequences", NUMBERED)
create_reference = attacks_on("references and triggers", granted("references on app.notes", "create on schema public"))

ATTACKS = (
    count("all rows", "select count(*) from app.notes"),
    count("rows per tenant", "select tenant_id, count(*) from app.notes group by 1"),
    count("rows that an update matched", "update app.notes set amount = amount"),
    count("rows that a delete matched", "delete from app.notes where amount < 0 or body like 'cnry%'"),
    count("rows by a window", "select distinct count(*) over () from app.notes"),
    count("the largest", "select max(amount), min(amount), sum(amount) from app.notes"),
    count(
        "jobs of the platform",
        "select count(*) filter (where tenant_id <> '{a}') + 1236 from partywall.jobs",
        opened_by=(NO_POLICIES,),
        proof="1239",
    ),
    #
    condition(
        "a row that exists", "select exists (select from app.notes where body = '{guess}')", guess=("b_body", "nobody")
    ),
    condition(
        "a division that fails if it exists",
        "select 1 / (select count(*) - 1 from app.accounts where email = '{guess}')",
        guess=("b_email", "nobody"),
    ),
    condition(
        "a lock that has to wait",
        "select from app.notes where id = '{guess}' for update nowait",
        guess=("b_note", "nobody"),
    ),
    condition(
        "a locked row skipped",
        "select count(*) from app.notes where id = '{guess}' for no key update skip locked",
        guess=("b_plain_note", "nobody"),
    ),
    condition(
        "an update that counts",
        "update app.accounts set email = email where email = '{guess}'",
        guess=("b_email", "nobody"),
    ),
    condition("a job", "select state from partywall.jobs where id = '{guess}'", guess=("b_running_job", "nobody")),
    condition(
        "a tenant, by claiming a job of it",
        "select count(*) from partywall.claim('{guess}', array['{nobody}'::uuid], '{nobody}', 'x', 'x', null,"
        " '1 s', '1 s')",
        guess=("b", "nobody"),
        opened_by=(CLAIM_THAT_TELLS,),
    ),
    condition("a tenant", "select status from partywall.tenants where id = '{guess}'", guess=("b", "nobody")),
    #
    unique("an insert that fails", "insert into app.accounts (email) values ('{guess}')", guess=("b_email", "nobody")),
    unique(
        "an insert that conflicts in silence",
        "insert into app.accounts (email) values ('{guess}') on conflict do nothing",
        guess=("b_email", "nobody"),
    ),
    unique(
        "an insert that updates",
        "insert into app.accounts (email) values ('{guess}')"
        " on conflict (email) do update set email = excluded.email || '!'",
        guess=("b_email", "nobody"),
    ),
    unique("an update that fails", "update app.accounts set email = '{guess}'", guess=("b_email", "nobody")),
    unique(
        "an insert as B",
        "insert into app.accounts (tenant_id, email) values ('{b}', '{guess}')",
        guess=("b_email", "nobody"),
        opened_by=(NO_POLICIES,),
    ),
    unique(
        "an insert as B that does nothing",
        "insert into app.accounts (tenant_id, email) values ('{b}', '{guess}') on conflict do nothing",
        guess=("b_email", "nobody"),
        opened_by=(NO_POLICIES,),
    ),
    unique(
        "a primary key",
        "insert into app.notes (tenant_id, id, body) values ('{b}', '{guess}', 'x')",
        guess=("b_plain_note", "nobody"),
        opened_by=(NO_POLICIES,),
    ),
    unique(
        "a file's name",
        "insert into app.files (tenant_id, name, size_bytes, sha256) values ('{b}', '{guess}', 0, repeat('a', 64))",
        guess=("b_file_name", "nobody"),
        opened_by=(NO_POLICIES,),
    ),
    #
    reference(
        "a comment on B's note",
        "insert into app.comments (note_id, body) values ('{guess}', 'x')",
        guess=("b_plain_note", "nobody"),
    ),
    reference("a comment that holds B's note", "insert into app.comments (note_id, body) values ('{b_note}', 'x')"),
    reference(
        "a comment moved to B's note", "update app.comments set note_id = '{guess}'", guess=("b_plain_note", "nobody")
    ),
    reference(
        "a comment as B",
        "insert into app.comments (tenant_id, note_id, body) values ('{b}', '{guess}', 'x')",
        guess=("b_plain_note", "nobody"),
        opened_by=(NO_POLICIES,),
    ),
    reference(
        "a chunk of B's file",
        "insert into app.file_chunks (file_id, position, data) values ('{guess}', 0, 'x')",
        guess=("b_file", "nobody"),
        opened_by=(
            NO_POLICIES,
            Weakness(
                "chunks belong to a file by its id alone",
                (
                    "alter table app.file_chunks drop constraint file_chunks_belong_to_a_file",
                    "alter table app.files add constraint id_of_all unique (id)",
                    "alter table app.file_chunks add constraint by_id foreign key (file_id) references app.files (id)",
                ),
            ),
        ),
    ),
    #
    sequence("the next number", "insert into app.accounts (email) values ('x@x') returning *"),
    sequence(
        "a sequence looked at",
        "select last_value from partywall_private.signing_keys_id_seq",
        "select pg_sequence_last_value('partywall_private.signing_keys_id_seq')",
        "select 'at', last_value from pg_sequences where last_value is not null",
        opened_by=(SUPERUSER,),
        proof="at | 2",
    ),
    #
    create_reference(
        "a table of A's own that references B's rows",
        "create table public.probe (tenant_id uuid, id uuid,"
        " foreign key (tenant_id, id) references app.notes (tenant_id, id))",
        "insert into public.probe values ('{b}', '{guess}')",
        guess=("b_plain_note", "nobody"),
    ),
    create_reference(
        "a trigger of A's own on B's table",
        "create trigger probe before update on app.notes for each row"
        " execute function suppress_redundant_updates_trigger()",
        opened_by=(granted("trigger on app.notes"),),
    ),
)


@pytest.mark.parametrize("attack", ATTACKS, ids=str)
class TestGuessing(Family):
    """None of them learns how much B has, or whether it has what was guessed."""
