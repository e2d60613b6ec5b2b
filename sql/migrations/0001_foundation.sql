-- Tenants, their credentials, and the jobs.
-- The functions these tables speak through are in sql/functions/ and were installed just before.

-- -----------------------------------------------------------------------------------------
-- Tenants. The row's id is the tenant, so its policy is on id instead of tenant_id.
-- -----------------------------------------------------------------------------------------
create table partywall.tenants (
    id                 uuid not null default partywall.uuid7(),
    slug               text not null,
    name               text not null,
    status             text not null default 'active',
    job_retention_days integer not null default 30,
    created_at         timestamptz not null default now(),
    suspended_at       timestamptz,
    primary key (id),
    constraint tenants_slug_is_unique unique (slug),
    constraint tenants_slug_is_a_dns_label check (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    constraint tenants_name_is_short check (length(name) between 1 and 200),
    constraint tenants_status_is_known check (status in ('active', 'suspended', 'deleting')),
    constraint tenants_retention_is_positive check (job_retention_days between 1 and 3650)
);

alter table partywall.tenants enable row level security;
alter table partywall.tenants force row level security;

create policy platform on partywall.tenants
to partywall_owner
using (true) with check (true);

create policy own_tenant on partywall.tenants
for select to partywall_worker, partywall_api
using (id = (select partywall.current_tenant_id()));

create policy every_tenant on partywall.tenants
for select to partywall_operator
using (true);

grant select on partywall.tenants to partywall_worker, partywall_api, partywall_operator;

-- -----------------------------------------------------------------------------------------
-- API keys. Only what proves a secret is kept; no role but the owner reads it.
-- -----------------------------------------------------------------------------------------
create table partywall_private.api_keys (
    tenant_id     uuid not null references partywall.tenants (id) on delete cascade,
    id            text not null,
    label         text not null,
    secret_proof  bytea not null,
    created_at    timestamptz not null default now(),
    revoked_at    timestamptz,
    primary key (tenant_id, id),
    -- A credential is looked up before its tenant is known. The id is random and not chosen by the
    -- tenant, so this index answers no question about another tenant.
    constraint api_keys_id_is_unique unique (id),
    -- It stands in tokens, whose parts are split at dots.
    constraint api_keys_id_is_plain check (id ~ '^[a-z0-9]{16}$')
);

-- -----------------------------------------------------------------------------------------
-- Jobs. PostgreSQL is the record: every state a job was ever in is committed here first.
-- -----------------------------------------------------------------------------------------
create table partywall.jobs (
    tenant_id         uuid not null references partywall.tenants (id),
    id                uuid not null default partywall.uuid7(),
    task_name         text not null,
    queue             text not null,
    state             text not null,
    attempt           integer not null default 0,
    max_attempts      integer not null,
    run_at            timestamptz not null,
    created_at        timestamptz not null default now(),
    dispatched_at     timestamptz,
    started_at        timestamptz,
    lease_expires_at  timestamptz,
    finished_at       timestamptz,
    dispatch_nonce    uuid,
    sends             integer not null default 0,
    worker            text,
    idempotency_key   text,
    payload           jsonb not null,
    result            jsonb,
    error             jsonb,
    checkpoint        jsonb,
    progress_current  bigint,
    progress_total    bigint,
    progress_note     text,
    primary key (tenant_id, id),
    constraint jobs_state_is_known check (
        state in ('scheduled', 'queued', 'dispatched', 'running', 'succeeded', 'failed', 'cancelled', 'expired')
    ),
    constraint jobs_attempts_are_counted check (attempt >= 0 and max_attempts >= 1),
    constraint jobs_running_has_a_lease check (state <> 'running' or lease_expires_at is not null),
    constraint jobs_dispatched_has_a_nonce check (state <> 'dispatched' or dispatch_nonce is not null),
    constraint jobs_finished_says_when check (
        (finished_at is not null) = (state in ('succeeded', 'failed', 'cancelled', 'expired'))
    )
)
-- A job is updated about four times in its life. Room on the page keeps those updates in place.
with (fillfactor = 70);

select partywall.protect('partywall.jobs', array['partywall_worker', 'partywall_api', 'partywall_operator']);

-- The functions in sql/functions/ run as the owner, on whom row-level security is forced too.
create policy platform on partywall.jobs
to partywall_owner
using (true) with check (true);

create policy every_tenant on partywall.jobs
for select to partywall_dispatcher
using (true);

-- Never dispatch_nonce: whoever knows it may claim the job.
grant select (
    tenant_id, id, task_name, queue, state, attempt, max_attempts, run_at, created_at, dispatched_at, started_at,
    lease_expires_at, finished_at, worker, idempotency_key, payload, result, error, checkpoint,
    progress_current, progress_total, progress_note
) on partywall.jobs to partywall_worker, partywall_api, partywall_operator;

-- Across tenants: what order and lateness need, nothing a tenant wrote.
grant select (
    tenant_id, id, task_name, queue, state, attempt, max_attempts, run_at, created_at, dispatched_at, started_at,
    lease_expires_at, finished_at
) on partywall.jobs to partywall_dispatcher;

-- A tenant's own lists, newest first; ids are UUIDv7, so their order is the order of arrival.
create index jobs_by_state on partywall.jobs (tenant_id, state, id);

create unique index jobs_idempotency_key_is_unique on partywall.jobs (tenant_id, idempotency_key)
where idempotency_key is not null;

-- The dispatcher's and the reaper's indexes cross tenants on purpose; only functions of the owner read them.
create index jobs_ready on partywall.jobs (queue, run_at, id) where state in ('scheduled', 'queued');
create index jobs_dispatched on partywall.jobs (queue, dispatched_at) where state = 'dispatched';
create index jobs_leased on partywall.jobs (lease_expires_at) where state = 'running';
