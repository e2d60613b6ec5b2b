-- Why a job does not run: the first of the things that stand in its way, as they are at this moment.

-- Returns what a job of this transaction's tenant waits for; no row when it runs, is over, or is not there.
--
-- reason: run_at, suspended, deleting, paused, no_dispatcher, unknown_task, no_worker_for_queue, not_claimed,
--     tenant_max_running, task_max_running, queue_max_running, rate, or behind: its turn has not come.
-- until: it does not go on before. For run_at and rate.
-- ahead: jobs of the tenant before it, 10,000 stand for that many or more. For rate and behind.
-- seconds: about how long until its turn comes. For behind.
create or replace function partywall.waiting_on(job_id uuid)
returns table (reason text, until timestamptz, ahead integer, seconds float8)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    tenant       constant uuid := partywall.current_tenant_id();
    job          record;
    rate_seconds float8;
begin
    select obstacles.* into job
    from partywall_private.obstacles(tenant, array[waiting_on.job_id]) as obstacles;
    if not found then
        return;
    end if;

    reason := job.reason;
    if reason = 'run_at' then
        until := job.run_at;
    elsif reason in ('rate', 'behind') then
        select * into ahead, seconds
        from partywall_private.ahead_of(
            tenant, job.job_id, job.state, job.priority, job.run_at, job.lane, job.queues, job.weight, job.slots
        );
        -- A token for it and one for each job before it.
        rate_seconds := greatest(0, ahead + 1 - job.tokens) / job.rate;
        if reason = 'rate' then
            until := now() + rate_seconds * interval '1 second';
            seconds := null;
        elsif job.state <> 'dispatched' then
            seconds := greatest(seconds, rate_seconds);
        end if;
    end if;
    return next;
end
$$;

-- Returns what each of these jobs of this transaction's tenant waits for, without those that wait for nothing: what a
-- list can afford. `reason` as waiting_on() says it, `until` for run_at only: for a rate all jobs before it would have
-- to be counted.
create or replace function partywall.waiting_on_each(job_ids uuid[])
returns table (job_id uuid, reason text, until timestamptz)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
    select obstacles.job_id, obstacles.reason, case when obstacles.reason = 'run_at' then obstacles.run_at end
    from partywall_private.obstacles(partywall.current_tenant_id(), job_ids) as obstacles
$$;

-- Returns the first thing that stands in the way of each of the tenant's jobs that wait, and what it was found by:
-- the lane, the slots of the workers that serve it, and of a tenant with a rate what is in its bucket.
create or replace function partywall_private.obstacles(tenant uuid, job_ids uuid[])
returns table (
    job_id uuid, reason text, state text, priority integer, run_at timestamptz, lane text, queues text[],
    slots bigint, weight float8, rate float8, tokens float8
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    limits record;
begin
    select
        effective.*,
        case when effective.rate is not null then least(
            effective.burst,
            coalesce(buckets.tokens + effective.rate * extract(epoch from now() - buckets.filled_at), effective.burst)
        ) end as tokens
    into limits
    from partywall_private.effective_limits as effective
    left join partywall_private.buckets as buckets on effective.tenant_id = buckets.tenant_id
    where effective.tenant_id = obstacles.tenant;

    return query
        with waiting as materialized (
            select
                jobs.id, jobs.task_name, jobs.queue, jobs.state, jobs.priority, jobs.run_at, jobs.sends,
                jobs.runs_for_deleted
            from partywall.jobs as jobs
            where jobs.tenant_id = obstacles.tenant
              and jobs.id = any(job_ids)
              and jobs.state in ('scheduled', 'queued', 'dispatched')
        ),
        -- What holds for all jobs of a task on a queue is asked once.
        kinds as materialized (
            select
                kind.task_name, kind.queue, lanes.*, workers.slots,
                partywall_private.reached_limit(
                    obstacles.tenant, kind.task_name, kind.queue, limits.max_running
                ) as reached_limit
            from (select distinct waiting.task_name, waiting.queue from waiting) as kind
            left join lateral (
                select
                    lanes.lane, lanes.queues, lanes.known_tasks,
                    lanes.led_at > now() - interval '10 seconds' as is_led
                from partywall_private.lanes as lanes
                where kind.queue = any(lanes.queues)
                order by lanes.led_at desc
                limit 1
            ) as lanes on true
            cross join lateral (
                select coalesce(sum(workers.slots), 0) as slots
                from partywall_private.workers as workers
                where workers.queues && coalesce(lanes.queues, array[kind.queue])
                  and workers.seen_at > now() - interval '45 seconds'
            ) as workers
        )
        select
            waiting.id,
            case
                when waiting.run_at > now() then 'run_at'
                when limits.status = 'suspended' then 'suspended'
                when limits.status = 'deleting' and not waiting.runs_for_deleted then 'deleting'
                when limits.flow = 'paused' then 'paused'
                when kinds.is_led is not true then 'no_dispatcher'
                when kinds.known_tasks is not null and waiting.task_name <> all(kinds.known_tasks) then 'unknown_task'
                when kinds.slots = 0 then 'no_worker_for_queue'
                when waiting.state = 'dispatched' and waiting.sends > 2 then 'not_claimed'
                when waiting.state = 'dispatched' then 'behind'
                when kinds.reached_limit is not null then kinds.reached_limit
                when limits.tokens < 1 then 'rate'
                -- A token has come, for whoever is first: the tenant waited for it a moment ago.
                when limits.rate is not null and exists (
                    select 1
                    from partywall_private.turns as turns
                    where turns.lane = kinds.lane
                      and turns.tenant_id = obstacles.tenant
                      and turns.not_before > now() - interval '2 seconds'
                ) then 'rate'
                else 'behind'
            end,
            waiting.state, waiting.priority::integer, waiting.run_at, kinds.lane, kinds.queues, kinds.slots,
            limits.weight, limits.rate, limits.tokens
        from waiting
        inner join kinds on waiting.task_name = kinds.task_name and waiting.queue = kinds.queue;
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
-- tenant's share of the slots among those who wait now. Of each task and queue 10,000 are counted at most, by the index
-- that each dispatch goes by.
create or replace function partywall_private.ahead_of(
    tenant uuid, job uuid, state text, priority integer, run_at timestamptz, in_lane text, from_queues text[],
    weight float8, slots bigint, out ahead integer, out seconds float8
)
language sql
stable
set search_path = pg_catalog, pg_temp
-- Whatever the planner knew of a queue that was empty a moment ago.
set enable_seqscan = off
set enable_bitmapscan = off
as $$
    with recursive kinds as (
        (
            select jobs.queue, jobs.task_name
            from partywall.jobs as jobs
            where jobs.tenant_id = ahead_of.tenant
              and jobs.state = 'queued'
              and ahead_of.state <> 'dispatched'
            order by jobs.queue, jobs.task_name
            limit 1
        )
        union all
        select further.queue, further.task_name
        from kinds
        cross join lateral (
            select jobs.queue, jobs.task_name
            from partywall.jobs as jobs
            where jobs.tenant_id = ahead_of.tenant
              and jobs.state = 'queued'
              and (jobs.queue, jobs.task_name) > (kinds.queue, kinds.task_name)
            order by jobs.queue, jobs.task_name
            limit 1
        ) as further
    ),
    before as (
        select kinds.task_name, sooner.jobs
        from kinds
        cross join lateral (
            select count(*) as jobs
            from (
                select 1
                from partywall.jobs as jobs
                where jobs.tenant_id = ahead_of.tenant
                  and jobs.queue = kinds.queue
                  and jobs.task_name = kinds.task_name
                  and jobs.state = 'queued'
                  and jobs.priority > ahead_of.priority
                union all
                select 1
                from partywall.jobs as jobs
                where jobs.tenant_id = ahead_of.tenant
                  and jobs.queue = kinds.queue
                  and jobs.task_name = kinds.task_name
                  and jobs.state = 'queued'
                  and jobs.priority = ahead_of.priority
                  and (jobs.run_at, jobs.id) < (ahead_of.run_at, ahead_of.job)
                limit 10000
            ) as counted
        ) as sooner
        where kinds.queue = any(from_queues)
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
        (select least(coalesce(sum(before.jobs), 0), 10000) from before)::integer,
        (
            at_broker.seconds
            + coalesce(
                (
                    select sum(before.jobs * coalesce(own.seconds, everybody.seconds, 0.1))
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
--     any of its jobs from starting, when something does; throttled_until: when its rate lets the next one start.
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
            when limits.status = 'suspended' then limits.status
            when limits.status = 'deleting' and not exists (
                select 1
                from partywall.jobs as jobs
                where jobs.tenant_id = limits.tenant_id
                  and jobs.state = 'queued'
                  and jobs.runs_for_deleted
            ) then limits.status
            when limits.flow = 'paused' then limits.flow
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
grant execute on function partywall.waiting_on_each(uuid[]) to partywall_api;
grant execute on function partywall.tenants_top(integer) to partywall_operator;

comment on function partywall.waiting_on(uuid) is
'partywall: allow definer-executable, it tells of jobs of the tenant of the transaction only';
comment on function partywall.waiting_on_each(uuid[]) is
'partywall: allow definer-executable, it tells of jobs of the tenant of the transaction only';
comment on function partywall.tenants_top(integer) is
'partywall: allow definer-executable, the operator sees who uses how much, nothing a tenant wrote';
