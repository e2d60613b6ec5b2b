-- Why a job does not run: the first of the things that stand in its way, as they are at this moment.

-- Returns what a job of this transaction's tenant waits for; no row when it runs, is over, or is not there.
--
-- reason: run_at, suspended, deleting, paused, no_dispatcher, unknown_task, no_worker_for_queue, tenant_max_running,
--     task_max_running, queue_max_running, rate, or behind: its turn has not come.
-- until: when it may go on, for run_at and rate.
-- ahead: jobs of the tenant before it, at most 10,000 are counted; seconds: about how long those take. For behind.
create or replace function partywall.waiting_on(job_id uuid)
returns table (reason text, until timestamptz, ahead integer, seconds float8)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    tenant constant uuid := partywall.current_tenant_id();
    job    record;
    limits record;
    lane   record;
    slots  bigint;
begin
    select jobs.* into job
    from partywall.jobs as jobs
    where jobs.tenant_id = tenant
      and jobs.id = waiting_on.job_id
      and jobs.state in ('scheduled', 'queued', 'dispatched');
    if not found then
        return;
    end if;
    select effective.* into limits
    from partywall_private.effective_limits as effective
    where effective.tenant_id = tenant;
    select lanes.*, lanes.led_at > now() - interval '10 seconds' as is_led into lane
    from partywall_private.lanes as lanes
    where job.queue = any(lanes.queues)
    order by lanes.led_at desc
    limit 1;
    select coalesce(sum(workers.slots), 0) into slots
    from partywall_private.workers as workers
    where workers.queues && coalesce(lane.queues, array[job.queue])
      and workers.seen_at > now() - interval '45 seconds';

    reason := case
        when job.run_at > now() then 'run_at'
        when limits.status = 'suspended' then 'suspended'
        when limits.status = 'deleting' and not job.runs_for_deleted then 'deleting'
        when limits.flow = 'paused' then 'paused'
        when lane.is_led is not true then 'no_dispatcher'
        when lane.known_tasks is not null and job.task_name <> all(lane.known_tasks) then 'unknown_task'
        when slots = 0 then 'no_worker_for_queue'
        when job.state = 'dispatched' then 'behind'
        else coalesce(partywall_private.reached_limit(tenant, job.task_name, job.queue, limits.max_running), 'behind')
    end;
    if reason = 'run_at' then
        until := job.run_at;
    elsif reason = 'behind' and job.state = 'queued' and limits.rate is not null then
        select now() + (1 - bucket.tokens) / limits.rate * interval '1 second' into until
        from partywall_private.buckets as buckets
        cross join lateral (
            select buckets.tokens + limits.rate * extract(epoch from now() - buckets.filled_at)
        ) as bucket (tokens)
        where buckets.tenant_id = tenant
          and bucket.tokens < 1;
        if found then
            reason := 'rate';
        end if;
    end if;
    if reason = 'behind' then
        select * into ahead, seconds
        from partywall_private.ahead_of(
            tenant, job.id, job.state, job.priority, job.run_at, lane.lane, lane.queues, limits.weight, slots
        );
    end if;
    return next;
end
$$;

-- Returns which limit of jobs that run at a time the tenant has reached with regard to a task and a queue, or null.
create or replace function partywall_private.reached_limit(
    tenant uuid, task_name text, queue text, max_running integer
)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    select case
        when running.jobs >= reached_limit.max_running then 'tenant_max_running'
        when running.of_task >= of_task.max_running then 'task_max_running'
        when running.of_queue >= of_queue.max_running then 'queue_max_running'
    end
    from (
        select
            count(*) as jobs,
            count(*) filter (where jobs.task_name = reached_limit.task_name) as of_task,
            count(*) filter (where jobs.queue = reached_limit.queue) as of_queue
        from partywall.jobs as jobs
        where jobs.tenant_id = reached_limit.tenant
          and jobs.state in ('dispatched', 'running')
    ) as running
    left join partywall.running_limits as of_task
        on of_task.tenant_id = reached_limit.tenant
        and of_task.kind = 'task'
        and of_task.name = reached_limit.task_name
    left join partywall.running_limits as of_queue
        on of_queue.tenant_id = reached_limit.tenant
        and of_queue.kind = 'queue'
        and of_queue.name = reached_limit.queue
$$;

-- Returns how many of the tenant's jobs are before one, and about how long they take: their measured run times, on the
-- tenant's share of the slots among those who wait now.
create or replace function partywall_private.ahead_of(
    tenant uuid, job uuid, state text, priority integer, run_at timestamptz, in_lane text, from_queues text[],
    weight float8, slots bigint, out ahead integer, out seconds float8
)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    with before as (
        select jobs.task_name
        from partywall.jobs as jobs
        where jobs.tenant_id = ahead_of.tenant
          and jobs.queue = any(from_queues)
          and jobs.state = 'queued'
          and ahead_of.state = 'queued'
          and (-jobs.priority, jobs.run_at, jobs.id) < (-ahead_of.priority, ahead_of.run_at, ahead_of.job)
        limit 10000
    ),
    at_broker as (
        select coalesce(sum(charges.seconds), 0) as seconds
        from partywall.jobs as jobs
        inner join partywall_private.charges as charges
            on jobs.tenant_id = charges.tenant_id and jobs.id = charges.job_id
        where jobs.state = 'dispatched'
          and jobs.queue = any(from_queues)
    ),
    share as (
        select ahead_of.weight / greatest(sum(limits.weight), ahead_of.weight) as part
        from partywall_private.turns as turns
        inner join partywall_private.effective_limits as limits on turns.tenant_id = limits.tenant_id
        where turns.lane = in_lane
          and turns.waiting
    )
    select
        (select count(*) from before)::integer,
        (
            at_broker.seconds
            + coalesce(
                (
                    select sum(coalesce(own.seconds, everybody.seconds, 0.1))
                    from before
                    left join partywall_private.run_times as own
                        on before.task_name = own.task_name and own.tenant_id = ahead_of.tenant
                    left join partywall_private.run_times as everybody
                        on before.task_name = everybody.task_name and everybody.tenant_id is null
                ), 0
            ) / coalesce(share.part, 1)
        ) / greatest(slots, 1)
    from at_broker
    cross join share
$$;

-- Returns the tenants that have or had work lately, busiest first, at most `row_limit`.
--
-- queued: at most 10,000 are counted; share: of the run time of about the last minute, 0 to 1; waits_for: what keeps
--     all of its jobs waiting, when something does; throttled_until: when its rate lets the next one start.
create or replace function partywall.tenants_top(row_limit integer)
returns table (
    slug text, running integer, dispatched integer, queued integer, oldest_wait_seconds float8, share float8,
    weight float8, waits_for text, throttled_until timestamptz
)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
    with in_flight as (
        select
            jobs.tenant_id,
            count(*) filter (where jobs.state = 'running') as running,
            count(*) filter (where jobs.state = 'dispatched') as dispatched
        from partywall.jobs as jobs
        where jobs.state in ('dispatched', 'running')
        group by jobs.tenant_id
    ),
    used as (
        select
            turns.tenant_id,
            sum(turns.used_seconds * exp(extract(epoch from turns.used_at - now()) / 55)) as seconds,
            max(turns.not_before) filter (where turns.not_before > now()) as not_before
        from partywall_private.turns as turns
        group by turns.tenant_id
    )
    select
        limits.slug, coalesce(in_flight.running, 0)::integer, coalesce(in_flight.dispatched, 0)::integer,
        waiting.jobs::integer, extract(epoch from now() - waiting.since)::float8,
        coalesce(used.seconds / nullif(sum(used.seconds) over (), 0), 0), limits.weight,
        case
            when waiting.jobs = 0 then null
            when limits.status <> 'active' then limits.status
            when limits.flow <> 'open' then limits.flow
            when used.not_before is not null then 'rate'
            when coalesce(in_flight.running + in_flight.dispatched, 0) >= limits.max_running then 'tenant_max_running'
        end,
        used.not_before
    from partywall_private.effective_limits as limits
    left join in_flight on limits.tenant_id = in_flight.tenant_id
    left join used on limits.tenant_id = used.tenant_id
    cross join lateral (
        select count(*) as jobs, min(own.run_at) as since
        from (
            select jobs.run_at
            from partywall.jobs as jobs
            where jobs.tenant_id = limits.tenant_id
              and jobs.state = 'queued'
            limit 10000
        ) as own
    ) as waiting
    where in_flight.tenant_id is not null
       or waiting.jobs > 0
       or used.seconds > 0.001
    order by coalesce(used.seconds, 0) desc, waiting.jobs desc, limits.slug
    limit row_limit
$$;

grant execute on function partywall.waiting_on(uuid) to partywall_api, partywall_operator;
grant execute on function partywall.tenants_top(integer) to partywall_operator;

comment on function partywall.waiting_on(uuid) is
'partywall: allow definer-executable, it tells of jobs of the tenant of the transaction only';
comment on function partywall.tenants_top(integer) is
'partywall: allow definer-executable, the operator sees who uses how much, nothing a tenant wrote';
