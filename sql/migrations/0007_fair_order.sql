-- Fair order among tenants, and what each of them may have at once. Docs: docs/explanation/fair-order.md.

-- -----------------------------------------------------------------------------------------
-- Limits: named defaults, what differs for a tenant, and for its single tasks and queues. Null is "no limit".
-- -----------------------------------------------------------------------------------------
create table partywall.tiers (
    name        text not null,
    weight      float8 not null default 1,
    max_running integer,
    rate        float8,
    burst       integer,
    max_queued  integer,
    changed_at  timestamptz not null default now(),
    changed_by  text not null default session_user,
    primary key (name),
    constraint tiers_names_are_short check (name ~ '^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$'),
    constraint tiers_weight_is_positive check (weight between 0.001 and 1000),
    -- Nothing at all is what pausing is for, which says who and why.
    constraint tiers_limits_are_positive check (max_running >= 1 and burst >= 1 and max_queued >= 1),
    -- NaN is more than every number.
    constraint tiers_rate_is_a_number check (rate > 0 and rate <= 1000000),
    constraint tiers_burst_has_a_rate check (burst is null or rate is not null)
);

comment on table partywall.tiers is
'partywall: shared, what a tier allows is the platform''s own, and no tenant may write it';

insert into partywall.tiers (name) values ('standard');

alter table partywall.tenants
add column tier text not null default 'standard' references partywall.tiers (name);

create table partywall.tenant_limits (
    tenant_id    uuid not null references partywall.tenants (id),
    weight       float8,
    max_running  integer,
    rate         float8,
    burst        integer,
    max_queued   integer,
    -- `paused`: nothing starts. `draining`: nothing is accepted, and what waits still runs.
    flow         text not null default 'open',
    flow_reason  text,
    flow_by      text,
    flow_at      timestamptz,
    -- Who changed which limit last, and when; `tier` too, and a limit that went back to its tier's.
    changes      jsonb not null default '{}',
    primary key (tenant_id),
    constraint tenant_limits_weight_is_positive check (weight between 0.001 and 1000),
    constraint tenant_limits_are_positive check (max_running >= 1 and burst >= 1 and max_queued >= 1),
    constraint tenant_limits_rate_is_a_number check (rate > 0 and rate <= 1000000),
    constraint tenant_limits_flow_is_known check (flow in ('open', 'paused', 'draining')),
    constraint tenant_limits_reason_is_short check (length(flow_reason) <= 500)
);

-- At most so many jobs of one task, or on one queue, run at a time.
create table partywall.running_limits (
    tenant_id   uuid not null references partywall.tenants (id),
    kind        text not null,
    name        text not null,
    max_running integer not null,
    primary key (tenant_id, kind, name),
    constraint running_limits_kind_is_known check (kind in ('task', 'queue')),
    constraint running_limits_are_positive check (max_running >= 1),
    constraint running_limits_names_are_short check (length(name) between 1 and 255)
);

select partywall.protect('partywall.tenant_limits', array['partywall_api', 'partywall_operator']);
select partywall.protect('partywall.running_limits', array['partywall_api', 'partywall_operator']);

create policy platform on partywall.tenant_limits to partywall_owner using (true) with check (true);
create policy platform on partywall.running_limits to partywall_owner using (true) with check (true);

grant select on partywall.tiers to partywall_operator;

-- What holds for each tenant at this moment.
create view partywall_private.effective_limits as
select
    tenants.id as tenant_id,
    tenants.slug,
    tenants.status,
    tenants.tier,
    coalesce(own.flow, 'open') as flow,
    coalesce(own.weight, tiers.weight) as weight,
    coalesce(own.max_running, tiers.max_running) as max_running,
    coalesce(own.rate, tiers.rate) as rate,
    coalesce(own.burst, tiers.burst, greatest(1, ceil(coalesce(own.rate, tiers.rate)))::integer) as burst,
    coalesce(own.max_queued, tiers.max_queued) as max_queued
from partywall.tenants as tenants
inner join partywall.tiers as tiers on tenants.tier = tiers.name
left join partywall.tenant_limits as own on tenants.id = own.tenant_id;

-- -----------------------------------------------------------------------------------------
-- The order itself. Only the leading dispatcher writes here; no login reads it.
-- -----------------------------------------------------------------------------------------

-- A lane is the queues that share workers, named by the first of them. Its clock is where the job that was dispatched
-- last began in virtual time: seconds of run time for one unit of weight.
create table partywall_private.lanes (
    lane         text not null,
    virtual_time float8 not null default 0,
    queues       text[] not null,
    known_tasks  text[],
    led_at       timestamptz not null default now(),
    primary key (lane)
);

-- A tenant's place in a lane. `waiting`: it is in the order. Who has nothing that could start is taken out of it, and
-- comes back by an arrival, by the clock (`not_before`), or when everything is looked at.
create table partywall_private.turns (
    lane         text not null,
    tenant_id    uuid not null,
    virtual_time float8 not null,
    waiting      boolean not null,
    not_before   timestamptz,
    -- Seconds of run time, those of a minute ago counted a third: the share that operators see.
    used_seconds float8 not null default 0,
    used_at      timestamptz not null default now(),
    primary key (lane, tenant_id)
)
with (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);

create index turns_in_order on partywall_private.turns (lane, virtual_time) where waiting;
create index turns_resting on partywall_private.turns (lane, not_before) where not_before is not null;

-- What a dispatched job was charged, until its attempt ends and the measured time takes the place of the estimate.
-- Unlogged: when the server crashes, the estimates stand.
create unlogged table partywall_private.charges (
    tenant_id uuid not null,
    job_id    uuid not null,
    attempt   integer not null,
    lane      text not null,
    nonce     uuid not null,
    task_name text not null,
    weight    float8 not null,
    seconds   float8 not null,
    primary key (tenant_id, job_id)
)
with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);

-- How long attempts take: of a task, and of a task of one tenant, which may differ.
create table partywall_private.run_times (
    task_name text not null,
    tenant_id uuid,
    seconds   float8 not null,
    samples   bigint not null,
    constraint run_times_are_one unique nulls not distinct (task_name, tenant_id)
)
with (fillfactor = 60);

-- Token buckets of tenants with a rate.
create table partywall_private.buckets (
    tenant_id uuid not null,
    tokens    float8 not null,
    filled_at timestamptz not null,
    primary key (tenant_id)
)
with (fillfactor = 60);

comment on table partywall_private.turns is
'partywall: allow rls-disabled, no login reaches it, and it is the order among all tenants
partywall: allow index-not-led-by-tenant, the order of a lane is looked at from its beginning';
comment on table partywall_private.charges is
'partywall: allow rls-disabled, no login reaches it, and only dispatch() reads it, of all tenants';
comment on table partywall_private.run_times is
'partywall: allow rls-disabled, no login reaches it, and only dispatch() reads it, of all tenants
partywall: allow index-not-led-by-tenant, what is known is known of a task
partywall: allow tenant-column-nullable, without a tenant it is the mean of all';
comment on table partywall_private.buckets is
'partywall: allow rls-disabled, no login reaches it, and only dispatch() reads it, of all tenants';
comment on view partywall_private.effective_limits is
'partywall: allow view-not-invoker, no login reaches it: functions of its owner read it';

-- What hides the tenant in a notification.
create table partywall_private.arrival_key (
    key bytea not null
);

insert into partywall_private.arrival_key (key)
values (sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())));

-- How many bodies a process runs at a time: as much as that is worth having at the broker.
alter table partywall_private.workers
add column slots integer not null default 1,
add constraint workers_have_slots check (slots between 1 and 10000);

drop function if exists partywall.register_worker(uuid, text, integer, text, text[]);

-- -----------------------------------------------------------------------------------------
-- Jobs: priority, and the indexes of an order that begins with the tenant.
-- -----------------------------------------------------------------------------------------
alter table partywall.jobs
add column priority smallint not null default 0,
-- Jobs that were dispatched with one nonce are run one after the other, those with less before the others.
add column bundle_place smallint not null default 0,
add constraint jobs_priority_is_small check (priority between -100 and 100);

grant select (priority) on partywall.jobs to partywall_worker, partywall_api, partywall_operator, partywall_dispatcher;

-- `queued` is what could start now; whatever waits for its moment is `scheduled`, after a failed attempt too.
update partywall.jobs
set state = 'scheduled'
where state = 'queued' and run_at > now();

-- A tenant's next job of a task, whatever else waits; and by leaps, which tasks have one.
create index jobs_waiting on partywall.jobs (tenant_id, queue, task_name, priority desc, run_at, id)
where state = 'queued';
create index jobs_scheduled on partywall.jobs (queue, run_at) where state = 'scheduled';
-- Bounded by the window at the broker and by the workers, so it is read as a whole.
create index jobs_in_flight on partywall.jobs (tenant_id, queue, task_name) where state in ('dispatched', 'running');

drop index partywall.jobs_ready;
drop index partywall.jobs_dispatched;
drop index partywall.jobs_leased;

-- Their successors take more arguments. With both there, a call could not be told apart.
drop function if exists partywall.create_tenant(text, text);
drop function if exists partywall.resume_tenant(text);
drop function if exists partywall.dispatch(text, text[], integer, integer, interval);
drop function if exists partywall.enqueue(
    text, jsonb, text, timestamptz, integer, boolean, integer, timestamptz, text, text, text
);
