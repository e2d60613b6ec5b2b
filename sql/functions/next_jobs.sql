-- The jobs that are served next, in fair order: chosen, charged, and made `dispatched` in one statement.

-- room: how many at most. spare, seconds: jobs beyond the first `spare` are taken only while those before them fill
--     less than `seconds` of run time; null is no such bound.
-- bundle_limit, bundle_seconds: jobs of one tenant and task that follow each other share a nonce, and so a message, up
--     to so many and to so much run time.
--
-- For as many tenants as there is room for, the first jobs of each are looked up; a job's tag is the virtual time at
-- which it would begin. The lowest tags win. What it costs depends on `room`, not on how much waits or for how many.
create or replace function partywall_private.next_jobs(
    in_lane text, clock float8, from_queues text[], known_tasks text[], room integer, spare integer,
    seconds float8, bundle_limit integer, bundle_seconds float8
)
returns table (tenant_id uuid, tenant_slug text, job_id uuid, task_name text, queue text, nonce uuid)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
-- Its plan is kept, and may have been made when there was little to look at. Whatever comes, it goes by the indexes.
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
as $$
#variable_conflict use_column
declare
    -- Tenants at the limit of one task or queue may have nothing to give: each of them has something in flight.
    lanes_limit integer := room;
begin
    if exists (select 1 from partywall.running_limits) then
        select room + count(distinct jobs.tenant_id) into lanes_limit
        from partywall.jobs as jobs
        where jobs.state in ('dispatched', 'running');
    end if;

    return query
        with eligible as materialized (
            select
                turns.tenant_id, limits.slug, limits.weight, limits.status, limits.rate, bucket.tokens,
                greatest(turns.virtual_time, next_jobs.clock) as virtual_time,
                least(room, limits.max_running - running.jobs, floor(bucket.tokens))::integer as allowance
            from partywall_private.turns as turns
            inner join partywall_private.effective_limits as limits on turns.tenant_id = limits.tenant_id
            left join partywall_private.buckets as buckets on turns.tenant_id = buckets.tenant_id
            cross join lateral (
                select case when limits.rate is not null then least(
                    limits.burst,
                    coalesce(
                        buckets.tokens + limits.rate * extract(epoch from now() - buckets.filled_at), limits.burst
                    )
                ) end
            ) as bucket (tokens)
            cross join lateral (
                select case when limits.max_running is not null then (
                    select count(*)
                    from partywall.jobs as jobs
                    where jobs.tenant_id = turns.tenant_id
                      and jobs.state in ('dispatched', 'running')
                ) end
            ) as running (jobs)
            where turns.lane = in_lane
              and turns.waiting
              and turns.virtual_time >= next_jobs.clock - 1
              and limits.status <> 'suspended'
              and limits.flow <> 'paused'
              and (limits.max_running is null or running.jobs < limits.max_running)
              and (bucket.tokens is null or bucket.tokens >= 1)
            order by turns.virtual_time
            limit lanes_limit
        ),
        -- How many of one tenant are looked at: enough that the lowest tags are among them, or we stop before.
        breadth as materialized (
            select
                ceil(2.0 * room / greatest(count(*), 1))::integer + 1 as jobs,
                case when count(*) = lanes_limit then max(eligible.virtual_time) end as last_virtual_time
            from eligible
        ),
        kinds as materialized (
            select
                eligible.tenant_id, leaps.queue, leaps.task_name,
                of_task.max_running - (
                    select count(*)
                    from partywall.jobs as jobs
                    where jobs.tenant_id = eligible.tenant_id
                      and jobs.task_name = of_task.name
                      and jobs.state in ('dispatched', 'running')
                ) as left_of_task,
                of_queue.max_running - (
                    select count(*)
                    from partywall.jobs as jobs
                    where jobs.tenant_id = eligible.tenant_id
                      and jobs.queue = of_queue.name
                      and jobs.state in ('dispatched', 'running')
                ) as left_of_queue,
                greatest(0.001, coalesce(own.seconds, everybody.seconds, 0.1)) as cost
            from eligible
            cross join lateral (
                with recursive leaps as (
                    (
                        select jobs.queue, jobs.task_name
                        from partywall.jobs as jobs
                        where jobs.tenant_id = eligible.tenant_id
                          and jobs.state = 'queued'
                        order by jobs.queue, jobs.task_name
                        limit 1
                    )
                    union all
                    select further.queue, further.task_name
                    from leaps
                    cross join lateral (
                        select jobs.queue, jobs.task_name
                        from partywall.jobs as jobs
                        where jobs.tenant_id = eligible.tenant_id
                          and jobs.state = 'queued'
                          and (jobs.queue, jobs.task_name) > (leaps.queue, leaps.task_name)
                        order by jobs.queue, jobs.task_name
                        limit 1
                    ) as further
                )
                select leaps.queue, leaps.task_name from leaps
            ) as leaps
            left join partywall.running_limits as of_task
                on eligible.tenant_id = of_task.tenant_id
                and of_task.kind = 'task'
                and leaps.task_name = of_task.name
            left join partywall.running_limits as of_queue
                on eligible.tenant_id = of_queue.tenant_id
                and of_queue.kind = 'queue'
                and leaps.queue = of_queue.name
            left join partywall_private.run_times as own
                on leaps.task_name = own.task_name
                and eligible.tenant_id = own.tenant_id
                and own.samples >= 5
            left join partywall_private.run_times as everybody
                on leaps.task_name = everybody.task_name
                and everybody.tenant_id is null
            where leaps.queue = any(from_queues)
              and (known_tasks is null or leaps.task_name = any(known_tasks))
        ),
        heads as materialized (
            select
                first.*,
                row_number() over (
                    partition by first.tenant_id order by first.priority desc, first.run_at, first.id
                ) as place
            from (
                select
                    kinds.tenant_id, kinds.queue, kinds.task_name, kinds.cost, head.id, head.priority, head.run_at,
                    kinds.left_of_queue, kinds.left_of_task,
                    row_number() over (
                        partition by kinds.tenant_id, kinds.queue order by head.priority desc, head.run_at, head.id
                    ) as place_in_queue,
                    -- After a task has moved to another queue there are jobs of it on both.
                    row_number() over (
                        partition by kinds.tenant_id, kinds.task_name order by head.priority desc, head.run_at, head.id
                    ) as place_in_task
                from kinds
                inner join eligible on kinds.tenant_id = eligible.tenant_id
                cross join breadth
                cross join lateral (
                    select jobs.id, jobs.priority, jobs.run_at
                    from partywall.jobs as jobs
                    where jobs.tenant_id = kinds.tenant_id
                      and jobs.queue = kinds.queue
                      and jobs.task_name = kinds.task_name
                      and jobs.state = 'queued'
                      and (jobs.expires_at is null or jobs.expires_at > now())
                      and (eligible.status = 'active' or jobs.runs_for_deleted)
                    order by jobs.priority desc, jobs.run_at, jobs.id
                    limit greatest(0, least(breadth.jobs, eligible.allowance, kinds.left_of_task, kinds.left_of_queue))
                ) as head
            ) as first
            where (first.left_of_queue is null or first.place_in_queue <= first.left_of_queue)
              and (first.left_of_task is null or first.place_in_task <= first.left_of_task)
        ),
        looked_at as materialized (
            select
                heads.*, eligible.weight, eligible.virtual_time, eligible.slug,
                sum(heads.cost) over through_tenant as cost_through,
                heads.place = 1 or (heads.task_name, heads.queue) is distinct from (
                    lag(heads.task_name) over through_tenant, lag(heads.queue) over through_tenant
                ) as is_other_task
            from heads
            inner join eligible on heads.tenant_id = eligible.tenant_id
            cross join breadth
            where heads.place <= least(breadth.jobs, eligible.allowance)
            window through_tenant as (partition by heads.tenant_id order by heads.place)
        ),
        horizon as materialized (
            select least(
                min(ends.virtual_time) filter (where ends.jobs = breadth.jobs),
                min(breadth.last_virtual_time)
            ) as virtual_time
            from (
                select
                    max(looked_at.virtual_time + looked_at.cost_through / looked_at.weight) as virtual_time,
                    count(*) as jobs
                from looked_at
                group by looked_at.tenant_id
            ) as ends
            cross join breadth
        ),
        islands as materialized (
            select
                looked_at.*,
                sum(looked_at.is_other_task::integer) over (
                    partition by looked_at.tenant_id order by looked_at.place
                ) as island
            from looked_at
        ),
        bundles as materialized (
            select
                each.*,
                -- An idle system gives every worker a part: with little to do, bundles are small.
                greatest(
                    (each.place_in_island - 1)
                    / greatest(1, least(bundle_limit, ceil(each.all_jobs::numeric / greatest(spare, 1))::integer)),
                    case when bundle_seconds > 0
                        then floor((each.cost_in_island - each.cost) / bundle_seconds)::integer
                        else each.place_in_island - 1
                    end
                ) as bundle
            from (
                select
                    islands.*,
                    count(*) over () as all_jobs,
                    row_number() over within_island as place_in_island,
                    sum(islands.cost) over within_island as cost_in_island
                from islands
                window within_island as (partition by islands.tenant_id, islands.island order by islands.place)
            ) as each
        ),
        tagged as materialized (
            select
                bundles.*,
                bundles.virtual_time + min(bundles.cost_through - bundles.cost) over (
                    partition by bundles.tenant_id, bundles.island, bundles.bundle
                ) / bundles.weight as tag
            from bundles
        ),
        chosen as materialized (
            select numbered.*
            from (
                select
                    tagged.*,
                    row_number() over in_order as position,
                    sum(tagged.cost) over in_order - tagged.cost as seconds_before
                from tagged
                cross join horizon
                where horizon.virtual_time is null or tagged.tag <= horizon.virtual_time
                window in_order as (order by tagged.tag, tagged.tenant_id, tagged.place)
            ) as numbered
            where numbered.position <= room
              and (
                  next_jobs.seconds is null
                  or numbered.position <= spare
                  or numbered.seconds_before < next_jobs.seconds
              )
        ),
        nonces as materialized (
            select chosen.tenant_id, chosen.island, chosen.bundle, gen_random_uuid() as nonce
            from chosen
            group by chosen.tenant_id, chosen.island, chosen.bundle
        ),
        -- Whoever cancels one of them in a transaction that goes on holds up no other.
        held as materialized (
            select jobs.tenant_id, jobs.id
            from chosen
            inner join partywall.jobs as jobs on chosen.tenant_id = jobs.tenant_id and chosen.id = jobs.id
            where jobs.state = 'queued'
            for update of jobs skip locked
        ),
        sent as (
            update partywall.jobs as jobs
            set state = 'dispatched',
                dispatched_at = now(),
                dispatch_nonce = nonces.nonce,
                bundle_place = chosen.place,
                sends = 1
            from held
            inner join chosen on held.tenant_id = chosen.tenant_id and held.id = chosen.id
            inner join nonces
                on chosen.tenant_id = nonces.tenant_id
                and chosen.island = nonces.island
                and chosen.bundle = nonces.bundle
            where jobs.tenant_id = held.tenant_id
              and jobs.id = held.id
            returning
                jobs.tenant_id, jobs.id, jobs.task_name, jobs.queue, jobs.attempt, jobs.dispatch_nonce,
                chosen.slug, chosen.tag, chosen.cost, chosen.weight, chosen.position
        ),
        charged as (
            insert into partywall_private.charges (
                tenant_id, job_id, attempt, lane, nonce, task_name, weight, seconds
            )
            select
                sent.tenant_id, sent.id, sent.attempt + 1, in_lane, sent.dispatch_nonce, sent.task_name, sent.weight,
                sent.cost
            from sent
            on conflict on constraint charges_pkey do update
            set attempt = excluded.attempt,
                lane = excluded.lane,
                nonce = excluded.nonce,
                weight = excluded.weight,
                seconds = excluded.seconds
        ),
        served as materialized (
            select
                eligible.tenant_id, eligible.rate, eligible.tokens,
                eligible.tokens - coalesce(own.jobs, 0) as tokens_left,
                eligible.virtual_time + coalesce(own.cost, 0) / eligible.weight as virtual_time,
                coalesce(own.jobs, 0) as jobs,
                coalesce(own.jobs, 0) < coalesce(seen.jobs, 0)
                or coalesce(seen.jobs, 0) >= least(breadth.jobs, eligible.allowance)
                or coalesce(seen.is_at_a_limit, false) as has_more
            from eligible
            cross join breadth
            left join (
                select sent.tenant_id, count(*) as jobs, sum(sent.cost) as cost from sent group by sent.tenant_id
            ) as own on eligible.tenant_id = own.tenant_id
            left join (
                select
                    kinds.tenant_id,
                    (select count(*) from looked_at where looked_at.tenant_id = kinds.tenant_id) as jobs,
                    bool_or(kinds.left_of_task is not null or kinds.left_of_queue is not null) as is_at_a_limit
                from kinds
                group by kinds.tenant_id
            ) as seen on eligible.tenant_id = seen.tenant_id
        ),
        moved as (
            update partywall_private.turns as turns
            set virtual_time = served.virtual_time,
                waiting = served.has_more and (served.tokens is null or served.tokens_left >= 1),
                not_before = case when served.has_more and served.tokens_left < 1
                    then now() + (1 - served.tokens_left) / served.rate * interval '1 second'
                end
            from served
            where turns.lane = in_lane
              and turns.tenant_id = served.tenant_id
              and (served.jobs > 0 or not served.has_more)
        ),
        spent as (
            insert into partywall_private.buckets (tenant_id, tokens, filled_at)
            select served.tenant_id, served.tokens_left, now()
            from served
            where served.tokens is not null
              and served.jobs > 0
            on conflict on constraint buckets_pkey do update
            set tokens = excluded.tokens,
                filled_at = excluded.filled_at
        ),
        moved_on as (
            update partywall_private.lanes as lanes
            set virtual_time = greatest(lanes.virtual_time, (select max(sent.tag) from sent))
            where lanes.lane = in_lane
              and exists (select 1 from sent)
        )
        select sent.tenant_id, sent.slug, sent.id, sent.task_name, sent.queue, sent.dispatch_nonce
        from sent
        order by sent.position;
end
$$;
