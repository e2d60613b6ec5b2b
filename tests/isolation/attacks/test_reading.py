"""Attacks that read B's rows: every kind of statement that PostgreSQL has for reading."""

import pytest

from tests.isolation.attacks.attack import attacks_on
from tests.isolation.attacks.families import Family
from tests.isolation.attacks.weakness import NO_POLICIES, SUPERUSER

select = attacks_on("select", NO_POLICIES)
export = attacks_on("export", NO_POLICIES)
error = attacks_on("error texts", NO_POLICIES)
planner = attacks_on("planner settings", NO_POLICIES)
platform = attacks_on("platform tables", NO_POLICIES)
off = attacks_on("row_security off", NO_POLICIES)

ATTACKS = (
    select("every note", "select * from app.notes"),
    select("notes of the tenant", "select body from app.notes where tenant_id = '{b}'"),
    select("a note by its key", "select body from app.notes where (tenant_id, id) = ('{b}', '{b_note}')"),
    select("a note by a key of which only half is known", "select body from app.notes where id = '{b_note}'"),
    select("by its place on the page", "select body from app.notes where ctid = any(array['(0,1)', '(0,5)']::tid[])"),
    select("whole rows", "select notes, notes.tableoid, notes.xmin from app.notes as notes"),
    select("a table expression", "table app.notes"),
    select("a sample", "select body from app.notes tablesample bernoulli (100)"),
    select(
        "a condition that is always true or dearly false",
        "select body from app.notes where tenant_id = partywall.current_tenant_id() or true",
    ),
    select("a cross join", "select theirs.body from app.comments as mine cross join app.notes as theirs"),
    select("a lateral join", "select theirs.body from app.comments as mine, lateral (table app.notes) as theirs"),
    select(
        "a sub-select that depends on a row of one's own",
        "select (select string_agg(body, ',') from app.notes as theirs where theirs.id <> mine.id)"
        " from app.notes as mine",
    ),
    select(
        "a recursion",
        "with recursive all_notes as (select body from app.notes union select body from app.notes, all_notes)"
        " select * from all_notes",
    ),
    select("a window", "select lag(body) over (order by id), first_value(body) over () from app.notes"),
    select("an aggregate", "select jsonb_agg(notes) from app.notes as notes"),
    select("grouping sets", "select tenant_id, min(body) from app.notes group by grouping sets ((tenant_id), ())"),
    select("a set operation", "select description from app.orders union all select body from app.events"),
    select("rows that it locks", "select body from app.notes for update skip locked"),
    select("a cursor", "declare c cursor for select body from app.notes", "fetch all from c"),
    select("a prepared statement", "prepare p as select body from app.notes", "execute p", "deallocate p"),
    select(
        "rows copied into one's own",
        "insert into app.notes (body) select body from app.notes where id = '{b_plain_note}'",
        "update app.notes as mine set body = theirs.body from app.notes as theirs where theirs.amount > 1000",
        "select body from app.notes",
    ),
    select("rows that a delete returns", "with gone as (delete from app.notes returning *) select * from gone"),
    select(
        "rows that a merge matches",
        "merge into app.comments as mine using app.notes as theirs on theirs.tenant_id <> mine.tenant_id"
        " when matched then update set body = theirs.body",
        "select body from app.comments",
    ),
    select("files", "select * from app.files"),
    select("bytes of files", "select convert_from(data, 'UTF8') from app.file_chunks"),
    select("imported orders", "select description, customer_id from app.orders"),
    select("statements", "select customer_id, revenue from app.statements"),
    select("rejected rows", "select row_text, reason from app.rejected_rows"),
    #
    export("copy a table out", "copy app.notes to stdout"),
    export("copy a query out", "copy (select body from app.notes) to stdout with (format csv)"),
    export("a query as XML", "select query_to_xml('select body from app.notes', true, true, '')"),
    export("a table as XML", "select table_to_xml('app.notes', true, true, '')"),
    export("a schema as XML", "select schema_to_xml('app', true, true, '')"),
    export("the database as XML", "select database_to_xml(true, true, '')"),
    export(
        "a cursor as XML",
        "declare c cursor for select body from app.notes",
        "select cursor_to_xml('c', 10000, true, true, '')",
    ),
    export("words of a text search", "select * from ts_stat($$select to_tsvector('simple', body) from app.notes$$)"),
    #
    error("a cast that fails on a value", "select string_agg(body, ',')::integer from app.notes"),
    error("a cast in the condition", "select id from app.notes where body::integer = 1"),
    error(
        "a division in the condition", "select id from app.notes where 1 / (amount - amount) = 1 or body::date = now()"
    ),
    error(
        "a constraint whose detail quotes the row",
        "update app.file_chunks set position = 0, data = convert_to((select max(body) from app.notes), 'UTF8')"
        " where octet_length(data) < 0 or data = ''",
        "insert into app.files (name, size_bytes, sha256) select body, 1, body from app.notes",
    ),
    #
    planner(
        "parallel workers",
        "set local parallel_setup_cost = 0",
        "set local min_parallel_table_scan_size = 0",
        "set local max_parallel_workers_per_gather = 2",
        "select body from app.notes",
    ),
    planner(
        "a generic plan",
        "set local plan_cache_mode = force_generic_plan",
        "prepare p (uuid) as select body from app.notes where tenant_id = $1",
        "execute p('{b}')",
        "deallocate p",
    ),
    planner(
        "an index scan only",
        "set local enable_seqscan = off",
        "set local enable_bitmapscan = off",
        "select id, tenant_id from app.notes where tenant_id > '00000000-0000-0000-0000-000000000000'",
    ),
    #
    off("switched off", "set local row_security = off", "select body from app.notes"),
    off("switched off by function", "select set_config('row_security', 'off', true)", "select body from app.notes"),
    off(
        "a replica's rules",
        "set local session_replication_role = replica",
        "select body from app.notes",
        opened_by=(SUPERUSER,),
    ),
    #
    platform("payloads of jobs", "select payload, result, error, checkpoint, progress_note from partywall.jobs"),
    platform("who claimed jobs", "select worker, idempotency_key from partywall.jobs"),
    platform("a running job", "select task_name from partywall.jobs where id = '{b_running_job}'"),
    platform("tenants", "select slug, name from partywall.tenants"),
    platform("tenants by id", "select name from partywall.tenants where id = '{b}'"),
    platform("nonces", "select dispatch_nonce from partywall.jobs", opened_by=(SUPERUSER,)),
    platform("API keys", "select * from partywall_private.api_keys", opened_by=(SUPERUSER,)),
    platform("signing keys", "select * from partywall_private.signing_keys", opened_by=(SUPERUSER,)),
)


@pytest.mark.parametrize("attack", ATTACKS, ids=str)
class TestReading(Family):
    """None of them brings a value of B's back."""
