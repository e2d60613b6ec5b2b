"""Two tenants' rows: what A is allowed to see, and what nobody but B may ever see.

Whatever B owns carries a canary: a text or number that cannot be guessed and that occurs nowhere else. An attack
has won when one of them comes back, in whatever clothes.
"""

import secrets
from collections.abc import Mapping

import psycopg

NOTES_OF_A = 3
NOTES_OF_B = 1237
"""A number that does not turn up by chance: whoever reports it, or the sum, has counted B's rows."""

TABLES = """
    create table app.notes (
        tenant_id  uuid not null default partywall.current_tenant_id(),
        id         uuid not null default partywall.uuid7(),
        body       text not null,
        amount     bigint not null default 0,
        primary key (tenant_id, id)
    );
    create table app.comments (
        tenant_id  uuid not null default partywall.current_tenant_id(),
        id         uuid not null default partywall.uuid7(),
        note_id    uuid not null,
        body       text not null,
        primary key (tenant_id, id),
        constraint comments_belong_to_a_note foreign key (tenant_id, note_id) references app.notes (tenant_id, id)
    );
    create table app.accounts (
        tenant_id  uuid not null default partywall.current_tenant_id(),
        id         uuid not null default partywall.uuid7(),
        email      text not null,
        primary key (tenant_id, id),
        constraint accounts_email_is_unique unique (tenant_id, email)
    );
    create table app.events (
        tenant_id  uuid not null default partywall.current_tenant_id(),
        id         uuid not null default partywall.uuid7(),
        month      date not null,
        body       text not null,
        primary key (tenant_id, id, month)
    ) partition by range (month);
    create table app.events_2026 partition of app.events for values from ('2026-01-01') to ('2027-01-01');
    create table app.reminders (due date) inherits (app.notes);
    create table app.drafts (
        tenant_id  uuid not null default partywall.current_tenant_id(),
        id         uuid not null default partywall.uuid7(),
        body       text not null,
        primary key (tenant_id, id)
    );
    create view app.note_bodies with (security_invoker = true) as select id, body from app.notes;
    create view app.note_sizes with (security_invoker = true) as select id, length(body) as size from app.note_bodies;
    grant select, insert, update, delete on app.note_bodies, app.note_sizes to partywall_worker;
    select partywall.protect('app.notes');
    select partywall.protect('app.comments');
    select partywall.protect('app.accounts');
    select partywall.protect('app.events');
    select partywall.protect('app.drafts');

    create function app.count_notes() returns bigint
    language sql stable security definer set search_path = pg_catalog, pg_temp
    as 'select count(*) from app.notes';
    grant execute on function app.count_notes() to partywall_worker;

    create function app.note_of(which uuid) returns text
    language sql stable
    begin atomic
        select body from app.notes where id = which;
    end;
    grant execute on function app.note_of(uuid) to partywall_worker;
"""
"""An adopter's tables and functions, of every kind that the wall covers, written as the documentation says."""

TENANT_TABLES = (
    "app.comments",
    "app.file_chunks",
    "app.files",
    "app.orders",
    "app.rejected_rows",
    "app.statements",
    "app.drafts",
    "app.accounts",
    "app.events",
    "app.notes",
    "partywall.jobs",
)
"""Tables with rows of both, children before parents; `app.notes` brings its heirs along."""

_OF_A = f"""
    insert into app.notes (tenant_id, id, body, amount)
    select %(a)s, case n when 1 then %(a_note)s::uuid else gen_random_uuid() end, 'mine ' || n, n
    from generate_series(1, {NOTES_OF_A}) as n;

    insert into app.comments (tenant_id, note_id, body) values (%(a)s, %(a_note)s, 'mine');
    insert into app.accounts (tenant_id, email) values (%(a)s, 'mine@a.example');
    insert into app.events (tenant_id, month, body) values (%(a)s, '2026-03-01', 'mine');
    insert into app.reminders (tenant_id, body, due) values (%(a)s, 'mine', '2026-03-01');
    insert into app.files (tenant_id, id, name, size_bytes, sha256)
    values (%(a)s, %(a_file)s, 'mine.csv', 4, repeat('a', 64));
    insert into app.file_chunks (tenant_id, file_id, position, data) values (%(a)s, %(a_file)s, 0, 'mine');
    insert into app.orders (tenant_id, file_sha256, file_line, line, order_id, customer_id, ordered_at, sku,
                            description, quantity, unit_price)
    values (%(a)s, decode(repeat('aa', 32), 'hex'), 1, 1, 'mine', 'mine', now(), 'mine', 'mine', 1, 1);
"""

_OF_B = f"""
    insert into app.notes (tenant_id, id, body, amount)
    select
        %(b)s,
        case n when 1 then %(b_note)s::uuid when 2 then %(b_plain_note)s::uuid else gen_random_uuid() end,
        case n when 1 then %(b_body)s else %(b_bodies)s || n end,
        case n when 1 then %(b_amount)s::bigint else 0 end
    from generate_series(1, {NOTES_OF_B}) as n;

    insert into app.comments (tenant_id, note_id, body) values (%(b)s, %(b_note)s, %(b_comment)s);
    insert into app.accounts (tenant_id, email) values (%(b)s, %(b_email)s);
    insert into app.events (tenant_id, month, body) values (%(b)s, '2026-03-01', %(b_event)s);
    insert into app.reminders (tenant_id, body, due) values (%(b)s, %(b_reminder)s, '2026-03-01');
    insert into app.files (tenant_id, id, name, size_bytes, sha256)
    values (%(b)s, %(b_file)s, %(b_file_name)s, octet_length(%(b_bytes)s), %(b_sha256)s);
    insert into app.file_chunks (tenant_id, file_id, position, data)
    values (%(b)s, %(b_file)s, 0, convert_to(%(b_bytes)s, 'UTF8') || convert_to(repeat(%(b_bytes)s, 300), 'UTF8'));
    insert into app.orders (tenant_id, file_sha256, file_line, line, order_id, customer_id, ordered_at, sku,
                            description, quantity, unit_price)
    values (%(b)s, decode(%(b_sha256)s, 'hex'), 1, 1, %(b_order)s, %(b_customer)s, now(), %(b_sku)s,
            %(b_description)s, 1, 1);
    insert into app.rejected_rows (tenant_id, file_name, file_sha256, file_line, line, reason, row_text)
    values (%(b)s, %(b_file_name)s, decode(%(b_sha256)s, 'hex'), 2, 2, %(b_reason)s, %(b_row_text)s);
    insert into app.statements (tenant_id, customer_id, month, orders, items, revenue)
    values (%(b)s, %(b_buyer)s, '2026-03-01', 1, 1, %(b_revenue)s::numeric);

    insert into partywall.jobs (
        tenant_id, id, task_name, queue, state, max_attempts, run_at, payload, dispatch_nonce, dispatched_at, sends
    )
    values (%(b)s, %(b_dispatched_job)s, 'b.task', 'default', 'dispatched', 3, now(),
            jsonb_build_object('secret', %(b_payload)s::text), %(b_nonce)s, now(), 1);
    insert into partywall.jobs (
        tenant_id, id, task_name, queue, state, attempt, max_attempts, run_at, payload, started_at,
        lease_expires_at, worker, worker_id, dispatch_nonce, unique_key, checkpoint, progress_current, progress_total,
        progress_note
    )
    values (%(b)s, %(b_running_job)s, 'b.task', 'default', 'running', 1, 3, now(), '{{}}', now(),
            now() + interval '1 day', %(b_worker)s, %(b_process)s, %(b_claimed_nonce)s, %(b_unique_key)s,
            to_jsonb(%(b_checkpoint)s::text), 1, 2, %(b_progress)s);
    insert into partywall_private.workers (id, name, pid, pool, queues, secret_sha256)
    values (%(b_process)s, %(b_worker)s, 1, 'prefork', array['default'],
            sha256(convert_to(%(b_process_secret)s, 'UTF8')));
    insert into partywall.jobs (
        tenant_id, id, task_name, queue, state, attempt, max_attempts, run_at, payload, finished_at, result, error,
        idempotency_key
    )
    values (%(b)s, %(b_finished_job)s, 'b.task', 'default', 'failed', 3, 3, now() - interval '1 year', '{{}}',
            now() - interval '1 year', to_jsonb(%(b_result)s::text), to_jsonb(%(b_error)s::text), %(b_key)s);
"""


def canary(what: str) -> str:
    """Return a text that occurs nowhere else."""
    return f"cnry-{what}-{secrets.token_hex(8)}"


def facts_of(a: str, b: str) -> dict[str, str]:
    """Return new ids for the rows of both, and a canary for each text of B's."""
    texts = (
        "body", "bodies", "comment", "email", "event", "reminder", "bytes", "order", "customer", "buyer", "sku",
        "description", "reason", "row_text", "payload", "checkpoint", "progress", "result", "error", "key",
        "unique_key", "process_secret",
    )  # fmt: skip
    ids = ("note", "plain_note", "file", "dispatched_job", "running_job", "finished_job", "nonce", "claimed_nonce",
           "process")  # fmt: skip
    return {
        "a": a,
        "b": b,
        "a_note": _uuid(),
        "a_file": _uuid(),
        "nobody": _uuid(),
        **{f"b_{name}": canary(name) for name in texts},
        **{f"b_{name}": _uuid() for name in ids},
        "b_worker": canary("worker"),
        "b_file_name": canary("file") + ".csv",
        "b_sha256": secrets.token_hex(32),
        "b_revenue": str(secrets.randbelow(10**12) + 10**12),
        "b_amount": str(secrets.randbelow(10**17) + 10**17),
    }


def plant_b(admin: psycopg.Connection[tuple[object, ...]], facts: Mapping[str, str]) -> None:
    """Write B's rows, as the superuser: no mechanism under test is used."""
    _run(admin, _OF_B, facts)


def plant_b_anew(admin: psycopg.Connection[tuple[object, ...]], facts: Mapping[str, str]) -> None:
    """Put B's rows as they were, those with names at least; the others get new ids."""
    deletes = [f"delete from {table} where tenant_id = %(b)s" for table in TENANT_TABLES]
    deletes.append("delete from partywall_private.workers where id = %(b_process)s")
    _run(admin, ";\n".join(deletes) + ";\n" + _OF_B, facts)


def plant_a(admin: psycopg.Connection[tuple[object, ...]], facts: Mapping[str, str]) -> None:
    """Put A's rows as they were, whatever has become of them. Its jobs stay."""
    deletes = [f"delete from {table} where tenant_id = %(a)s" for table in TENANT_TABLES if table != "partywall.jobs"]
    _run(admin, ";\n".join(deletes) + ";\n" + _OF_A, facts)


def _run(admin: psycopg.Connection[tuple[object, ...]], script: str, facts: Mapping[str, str]) -> None:
    with admin.pipeline(), admin.transaction():
        for statement in script.split(";\n"):
            if statement.strip():
                admin.execute(statement, facts)


def _uuid() -> str:
    bits = secrets.token_hex(16)
    return f"{bits[:8]}-{bits[8:12]}-4{bits[13:16]}-8{bits[17:20]}-{bits[20:]}"
