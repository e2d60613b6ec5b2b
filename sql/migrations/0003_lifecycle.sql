-- What a job's life needs: a row for each attempt that ended, who runs what, and who ended it.

alter table partywall.jobs
-- Which process claimed it last. Its name and pid stand in `worker`; a pid comes back, this never does.
add column worker_id uuid,
-- Attempts that did not count: a worker that was told to stop gave the job back.
add column handed_back integer not null default 0,
-- Attempts whose process was killed or lost, and how many of those are too many: what kills every worker it meets
-- shall not meet the next one.
add column lost integer not null default 0,
add column max_lost integer not null default 3,
add column expires_at timestamptz,
add column unique_key text,
add column cancelled_by text,
add column cancel_reason text,
add constraint jobs_losses_are_counted check (lost >= 0 and handed_back >= 0 and max_lost >= 1),
add constraint jobs_keys_are_short check (length(idempotency_key) <= 255 and length(unique_key) <= 255);

grant select (worker_id, handed_back, lost, max_lost, expires_at, unique_key, cancelled_by, cancel_reason)
on partywall.jobs to partywall_worker, partywall_api, partywall_operator;
grant select (handed_back, lost, max_lost, expires_at) on partywall.jobs to partywall_dispatcher;

-- One live job per key. That it is an index makes it outlive every process that could have kept count.
create unique index jobs_unique_key_is_one_live_job on partywall.jobs (tenant_id, unique_key)
where unique_key is not null and state in ('scheduled', 'queued', 'dispatched', 'running');

-- The reaper's: what was to be started by a moment that has passed.
create index jobs_expiring on partywall.jobs (expires_at)
where expires_at is not null and state in ('scheduled', 'queued', 'dispatched');

-- A job is updated four times and then never again, so a table of many finished jobs has few dead rows; a fifth of it,
-- the default, would be millions. Vacuum looks in when two percent are dead, and takes no naps in between.
alter table partywall.jobs set (
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_insert_scale_factor = 0.05,
    autovacuum_analyze_scale_factor = 0.05,
    autovacuum_vacuum_cost_delay = 0
);

-- -----------------------------------------------------------------------------------------
-- Attempts that ended. A row is written once, by the statement that ends the attempt; one that runs stands in its job.
-- -----------------------------------------------------------------------------------------
create table partywall.attempts (
    tenant_id  uuid not null,
    job_id     uuid not null,
    attempt    integer not null,
    outcome    text not null,
    worker     text,
    worker_id  uuid,
    started_at timestamptz not null,
    ended_at   timestamptz not null default now(),
    error      jsonb,
    primary key (tenant_id, job_id, attempt),
    constraint attempts_job_exists foreign key (tenant_id, job_id)
    references partywall.jobs (tenant_id, id) on delete cascade,
    constraint attempts_outcome_is_known check (
        outcome in ('succeeded', 'failed', 'timed_out', 'cancelled', 'handed_back', 'killed', 'lost')
    )
);

select partywall.protect('partywall.attempts', array['partywall_worker', 'partywall_api', 'partywall_operator']);

create policy platform on partywall.attempts
to partywall_owner
using (true) with check (true);

grant select on partywall.attempts to partywall_api, partywall_operator;

-- -----------------------------------------------------------------------------------------
-- Processes that run bodies. Theirs is no tenant, so no login reads the table.
-- -----------------------------------------------------------------------------------------
create table partywall_private.workers (
    id         uuid not null,
    name       text not null,
    pid        integer not null,
    pool       text not null,
    queues     text[] not null,
    started_at timestamptz not null default now(),
    seen_at    timestamptz not null default now(),
    primary key (id),
    -- Whoever has the worker's login may list a process; it may not fill the disk with one.
    constraint workers_names_are_short check (length(name) <= 255 and length(pool) <= 100),
    constraint workers_queues_are_few check (octet_length(queues::text) <= 10000)
);

-- Their successors take other arguments. With both there, a call could not be told apart.
drop function if exists partywall.enqueue(text, jsonb, text, timestamptz, integer, boolean);
drop function if exists partywall.claim(uuid, uuid[], uuid, text, text, interval);
drop function if exists partywall.fail(jsonb, interval);
