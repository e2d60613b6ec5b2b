-- The jobs that are served next, in fair order: chosen, charged, and made `dispatched` in one statement.

-- room: how many at most. spare, seconds: jobs beyond the first `spare` are taken only while those before them fill
--     less than `seconds` of run time; null is no such bound. spare_for_new: the same for jobs that overtake.
-- bundle_limit, bundle_seconds: jobs of one tenant and task that follow each other share a nonce, and so a message, up
--     to so many and to so much run time.
--
-- overtakes: the first message of a tenant that has come back and owes nothing: what waits at the broker was sent while
--     it had nothing to start, and is of those who have had more.
--
-- For as many tenants as there is room for, the first jobs of each are looked up; a job's tag is the virtual time at
-- which it would begin. The lowest tags win. What it costs depends on `room`, not on how much waits or for how many.
create or replace function partywall_private.next_jobs(
    in_lane text, from_queues text[], known_tasks text[], room integer, spare integer, spare_for_new integer,
    seconds float8, bundle_limit integer, bundle_seconds float8, clock float8
)
returns table (
    tenant_id uuid, tenant_slug text, job_id uuid, task_name text, queue text, nonce uuid, overtakes boolean
)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
-- Its plan is kept: it takes longer to make than to follow. It may have been made when there was little to look at.
-- Whatever comes, every look is one into an index, and what was found is joined with nothing: each step hands on all
-- that the later ones need.
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_sort = off
set enable_incremental_sort = off
set jit = off
as $$
#variable_conflict use_column
declare
    -- Some have nothing left, which shows only now. Those at the limit of one task or queue may have nothing to give
    -- either: each of them has something in flight.
    lanes_limit integer := room + 20;
    -- More jobs than this are not looked at, so that the first bundles of some tenants are found, or the first jobs of
    -- all. The first tenant is looked at as a whole, however many kinds of jobs it has.
    heads_limit constant integer := 2 * room + greatest(room, bundle_limit) + 1;
    least_reach constant integer := 8;
begin
    if exists (select 1 from partywall.running_limits) then
        select lanes_limit + count(distinct jobs.tenant_id) into lanes_limit
        from partywall.jobs as jobs
        where jobs.state in ('dispatched', 'running');
    end if;

    return query
        with eligible as materialized (
            select turns.*, row_number() over () as turn
            from partywall_private.eligible_turns(in_lane, room, lanes_limit, next_jobs.clock) as turns
        ),
        breadth as materialized (
            select
                ceil(2.0 * room / greatest(count(*), 1))::integer + 1 as jobs,
                case when count(*) = lanes_limit then max(eligible.virtual_time) end as last_virtual_time
            from eligible
        ),
        -- By leaps: which tasks of a tenant have something on which queue, and how many more of each may run.
        kinds as materialized (
            select
                eligible.*, leaps.queue, leaps.task_name, breadth.jobs as breadth, run_time.seconds as cost,
                (
                    select limits.max_running - (
                        select count(*)
                        from partywall.jobs as jobs
                        where jobs.tenant_id = eligible.tenant_id
                          and jobs.task_name = leaps.task_name
                          and jobs.state in ('dispatched', 'running')
                    )
                    from partywall.running_limits as limits
                    where limits.tenant_id = eligible.tenant_id
                      and limits.kind = 'task'
                      and limits.name = leaps.task_name
                ) as left_of_task,
                (
                    select limits.max_running - (
                        select count(*)
                        from partywall.jobs as jobs
                        where jobs.tenant_id = eligible.tenant_id
                          and jobs.queue = leaps.queue
                          and jobs.state in ('dispatched', 'running')
                    )
                    from partywall.running_limits as limits
                    where limits.tenant_id = eligible.tenant_id
                      and limits.kind = 'queue'
                      and limits.name = leaps.queue
                ) as left_of_queue
            from eligible
            cross join breadth
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
            cross join lateral (
                select greatest(0.001, coalesce(
                    (
                        select own.seconds
                        from partywall_private.run_times as own
                        where own.task_name = leaps.task_name
                          and own.tenant_id = eligible.tenant_id
                          and own.samples >= 5
                    ),
                    (
                        select everybody.seconds
                        from partywall_private.run_times as everybody
                        where everybody.task_name = leaps.task_name
                          and everybody.tenant_id is null
                    ),
                    0.1
                ))
            ) as run_time (seconds)
            where leaps.queue = any(from_queues)
              and (known_tasks is null or leaps.task_name = any(known_tasks))
        ),
        counted as materialized (
            select kinds.*, count(*) over (partition by kinds.turn) as kinds_of_tenant
            from kinds
        ),
        -- Tenant after tenant. Of one: enough that the lowest tags are among them, or we stop before; or a bundle. Its
        -- kinds share that: which of them has the tenant's next job shows only when all have been looked into.
        heads as materialized (
            select
                found.*,
                row_number() over (
                    partition by found.tenant_id, found.queue order by found.priority desc, found.run_at, found.id
                ) as place_in_queue,
                row_number() over (
                    partition by found.tenant_id, found.task_name order by found.priority desc, found.run_at, found.id
                ) as place_in_task
            from (
                select kinds.*, head.id, head.priority, head.run_at, head.place_in_kind = reach.jobs as is_last
                from counted as kinds
                cross join lateral (
                    select greatest(
                        kinds.breadth, least(bundle_limit, ceil(bundle_seconds / kinds.cost)::integer)
                    )
                ) as wished (jobs)
                cross join lateral (
                    select least(wished.jobs, greatest(least_reach, wished.jobs / kinds.kinds_of_tenant))::integer
                ) as reach (jobs)
                cross join lateral (
                    select first.*, row_number() over () as place_in_kind
                    from (
                        select jobs.id, jobs.priority, jobs.run_at
                        from partywall.jobs as jobs
                        where jobs.tenant_id = kinds.tenant_id
                          and jobs.queue = kinds.queue
                          and jobs.task_name = kinds.task_name
                          and jobs.state = 'queued'
                          and (jobs.expires_at is null or jobs.expires_at > now())
                          and (kinds.status = 'active' or jobs.runs_for_deleted)
                        order by jobs.priority desc, jobs.run_at, jobs.id
                        limit greatest(
                            0, least(reach.jobs, kinds.allowance, kinds.left_of_task, kinds.left_of_queue)
                        )
                    ) as first
                ) as head
                limit heads_limit + least_reach * (select max(counted.kinds_of_tenant) from counted)
            ) as found
        ),
        -- The tenant at which the looking ended, if it did: what was not seen of it may come before what was. Those
        -- after it come later in the order.
        ended_at as materialized (
            select max(heads.turn) as turn, max(heads.virtual_time) as virtual_time
            from heads
            having count(*) = heads_limit + least_reach * (select max(counted.kinds_of_tenant) from counted)
        ),
        looked_at as materialized (
            select
                placed.*,
                sum(placed.cost) over through_tenant as cost_through,
                placed.place = 1 or (placed.task_name, placed.queue) is distinct from (
                    lag(placed.task_name) over through_tenant, lag(placed.queue) over through_tenant
                ) as is_other_task
            from (
                select
                    heads.*,
                    row_number() over in_tenant as place,
                    count(*) filter (where heads.is_last) over (
                        in_tenant rows between unbounded preceding and 1 preceding
                    ) as unknown_before
                from heads
                where heads.turn is distinct from (select ended_at.turn from ended_at)
                  and (heads.left_of_queue is null or heads.place_in_queue <= heads.left_of_queue)
                  and (heads.left_of_task is null or heads.place_in_task <= heads.left_of_task)
                window in_tenant as (
                    partition by heads.tenant_id order by heads.priority desc, heads.run_at, heads.id
                )
            ) as placed
            -- Behind the last that was looked at of a kind, more of that kind may come first.
            where placed.unknown_before = 0
              and (placed.allowance is null or placed.place <= placed.allowance)
            window through_tenant as (partition by placed.tenant_id order by placed.place)
        ),
        -- Beyond the last job that was looked at of any tenant, the next tag is not known.
        horizon as materialized (
            select least(
                min(looked_at.virtual_time + looked_at.cost_through / looked_at.weight) filter (where looked_at.is_last),
                (select breadth.last_virtual_time from breadth),
                (select ended_at.virtual_time from ended_at)
            ) as virtual_time
            from looked_at
        ),
        bundled as materialized (
            select
                each.*,
                gen_random_uuid() as dice,
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
                    row_number() over within_island as place_in_island,
                    sum(islands.cost) over within_island as cost_in_island
                from (
                    select
                        looked_at.*,
                        count(*) over () as all_jobs,
                        sum(looked_at.is_other_task::integer) over (
                            partition by looked_at.tenant_id order by looked_at.place
                        ) as island
                    from looked_at
                ) as islands
                window within_island as (partition by islands.tenant_id, islands.island order by islands.place)
            ) as each
        ),
        chosen as materialized (
            select numbered.*
            from (
                select
                    tagged.*,
                    row_number() over in_order as position,
                    sum(tagged.cost) over in_order - tagged.cost as seconds_before
                from (
                    select
                        bundled.*,
                        bundled.virtual_time
                        + min(bundled.cost_through - bundled.cost) over bundle / bundled.weight as tag,
                        first_value(bundled.dice) over bundle as nonce
                    from bundled
                    window bundle as (partition by bundled.tenant_id, bundled.island, bundled.bundle)
                ) as tagged
                cross join horizon
                where horizon.virtual_time is null or tagged.tag <= horizon.virtual_time
                window in_order as (order by tagged.tag, tagged.tenant_id, tagged.place)
            ) as numbered
            where numbered.position <= room
              and (
                  next_jobs.seconds is null
                  or numbered.position <= spare
                  or numbered.is_new and numbered.tag <= numbered.virtual_time and numbered.position <= spare_for_new
                  or numbered.seconds_before < next_jobs.seconds
              )
        ),
        -- Whoever cancels one of them in a transaction that goes on holds up no other.
        held as materialized (
            select chosen.*
            from chosen
            cross join lateral (
                select 1
                from partywall.jobs as jobs
                where jobs.tenant_id = chosen.tenant_id
                  and jobs.id = chosen.id
                  and jobs.state || '' = 'queued'
                for no key update skip locked
            ) as locked
        ),
        sent as (
            update partywall.jobs as jobs
            set state = 'dispatched',
                dispatched_at = now(),
                dispatch_nonce = held.nonce,
                bundle_place = held.place,
                sends = 1
            from held
            where jobs.tenant_id = held.tenant_id
              and jobs.id = held.id
            returning
                jobs.tenant_id, jobs.id, jobs.task_name, jobs.queue, jobs.attempt, jobs.dispatch_nonce,
                held.slug, held.tag, held.cost, held.weight, held.position,
                held.is_new and held.tag <= held.virtual_time as overtakes
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
                each.tenant_id,
                max(each.rate) as rate,
                max(each.tokens) - sum(each.sent) as tokens_left,
                max(each.virtual_time) + sum(each.cost) / max(each.weight) as virtual_time,
                sum(each.sent) as jobs,
                -- Also of what is known of, but hidden by a limit.
                sum(each.sent) < sum(each.seen)
                or coalesce(sum(each.seen) >= max(each.allowance), false)
                or bool_or(each.is_limited)
                or coalesce(max(each.turn) = (select ended_at.turn from ended_at), false) as has_more
            from (
                select
                    eligible.tenant_id, eligible.turn, eligible.rate, eligible.tokens, eligible.virtual_time,
                    eligible.weight, eligible.allowance, 0 as sent, 0::float8 as cost, 0 as seen, false as is_limited
                from eligible
                union all
                select
                    kinds.tenant_id, null, null, null, null, null, null, 0, 0, 0,
                    kinds.left_of_task is not null or kinds.left_of_queue is not null
                from kinds
                union all
                select looked_at.tenant_id, null, null, null, null, null, null, 0, 0, 1, looked_at.is_last from looked_at
                union all
                select sent.tenant_id, null, null, null, null, null, null, 1, sent.cost, 0, false from sent
            ) as each
            group by each.tenant_id
            having max(each.turn) <= coalesce((select ended_at.turn from ended_at), max(each.turn))
        ),
        moved as (
            update partywall_private.turns as turns
            set virtual_time = served.virtual_time,
                is_new = turns.is_new and served.jobs = 0,
                waiting = served.has_more and (served.tokens_left is null or served.tokens_left >= 1),
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
            where served.tokens_left is not null
              and served.jobs > 0
            on conflict on constraint buckets_pkey do update
            -- With what was given back since this statement began to look.
            set tokens = excluded.tokens + buckets.tokens - coalesce(
                    (
                        select seen.tokens
                        from partywall_private.buckets as seen
                        where seen.tenant_id = excluded.tenant_id
                    ),
                    buckets.tokens
                ),
                filled_at = excluded.filled_at
        ),
        moved_on as (
            update partywall_private.lanes as lanes
            set virtual_time = greatest(lanes.virtual_time, (select max(sent.tag) from sent)),
                furthest = greatest(lanes.furthest, (select max(served.virtual_time) from served where served.jobs > 0))
            where lanes.lane = in_lane
              and exists (select 1 from sent)
        )
        select
            sent.tenant_id, sent.slug, sent.id, sent.task_name, sent.queue, sent.dispatch_nonce, sent.overtakes
        from sent
        order by sent.position;
end
$$;
