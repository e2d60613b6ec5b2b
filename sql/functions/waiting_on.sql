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

grant execute on function partywall.waiting_on(uuid) to partywall_api, partywall_operator;
grant execute on function partywall.waiting_on_each(uuid[]) to partywall_api;

comment on function partywall.waiting_on(uuid) is
'partywall: allow definer-executable, it tells of jobs of the tenant of the transaction only';
comment on function partywall.waiting_on_each(uuid[]) is
'partywall: allow definer-executable, it tells of jobs of the tenant of the transaction only';
