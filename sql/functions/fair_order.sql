-- The order in which tenants are served: start-time fair queueing. A tenant's virtual time is the run time it has had,
-- divided by its weight; whoever has the least is next. All of this runs inside dispatch(), which lets in one at a
-- time.

-- Returns the lane's clock, and keeps every other dispatcher out until this transaction ends: what a tenant has in
-- flight can only grow here, so that counting first and dispatching then exceeds no limit.
create or replace function partywall_private.lead_lane(from_queues text[], known_tasks text[])
returns float8
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    clock float8;
begin
    perform partywall_private.hold_dispatch();
    insert into partywall_private.lanes as lanes (lane, queues, known_tasks)
    values (from_queues[1], from_queues, lead_lane.known_tasks)
    on conflict on constraint lanes_pkey do update
    set led_at = now(),
        queues = excluded.queues,
        known_tasks = excluded.known_tasks
    returning lanes.virtual_time into clock;
    return clock;
end
$$;

-- Puts measured run times in the place of the estimates that tenants were charged, for attempts that are over. A
-- running attempt that has taken twice its estimate is charged for what it has had by now. What was dispatched and
-- never ran is given back. So it is with what was dispatched while these queues were lanes of their own.
create or replace function partywall_private.settle(in_lane text, from_queues text[], clock float8)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
begin
    with charged as materialized (
        select
            charges.tenant_id, charges.job_id, charges.attempt, charges.nonce, charges.task_name, charges.weight,
            charges.seconds,
            case
                when jobs.state = 'running' and jobs.attempt = charges.attempt
                    -- Of a bundle the first one runs; those after it wait, and that costs nothing.
                    then case when jobs.bundle_place = min(jobs.bundle_place) filter (where jobs.state = 'running')
                        over (partition by charges.nonce)
                        then extract(epoch from clock_timestamp() - jobs.started_at)
                        else 0
                    end
                when jobs.state = 'dispatched' and jobs.attempt = charges.attempt - 1 then 0
            end as so_far
        from partywall_private.charges as charges
        left join partywall.jobs as jobs on charges.tenant_id = jobs.tenant_id and charges.job_id = jobs.id
        where charges.lane = any(from_queues)
    ),
    late as (
        update partywall_private.charges as charges
        set seconds = charged.so_far
        from charged
        where charges.tenant_id = charged.tenant_id
          and charges.job_id = charged.job_id
          and charged.so_far > 2 * charged.seconds + 0.2
    ),
    -- The jobs of a bundle were claimed at one moment and run one after the other: each took what passed since the one
    -- before it ended, which shows when all have.
    ended as materialized (
        select charged.nonce from charged group by charged.nonce having bool_and(charged.so_far is null)
    ),
    over as (
        delete from partywall_private.charges as charges
        using charged
        inner join ended on charged.nonce = ended.nonce
        where charges.tenant_id = charged.tenant_id
          and charges.job_id = charged.job_id
    ),
    measured as materialized (
        select
            charged.tenant_id, charged.task_name, charged.weight, charged.seconds, attempts.outcome,
            extract(epoch from attempts.ended_at - greatest(
                attempts.started_at, lag(attempts.ended_at) over (
                    partition by charged.nonce, attempts.started_at order by attempts.ended_at
                )
            ))::float8 as took
        from charged
        inner join ended on charged.nonce = ended.nonce
        left join partywall.attempts as attempts
            on charged.tenant_id = attempts.tenant_id
            and charged.job_id = attempts.job_id
            and charged.attempt = attempts.attempt
    ),
    learned as (
        -- One attempt weighs a tenth of what was known, ten of them two thirds.
        insert into partywall_private.run_times as known (task_name, tenant_id, seconds, samples)
        select measured.task_name, measured.tenant_id, avg(measured.took), count(*)
        from measured
        where measured.took is not null
          -- It was given back without having begun.
          and measured.outcome <> 'handed_back'
        group by grouping sets ((measured.task_name), (measured.task_name, measured.tenant_id))
        on conflict on constraint run_times_are_one do update
        set seconds = known.seconds + (excluded.seconds - known.seconds) * (1 - power(0.9, excluded.samples)),
            samples = known.samples + excluded.samples
    ),
    owed as (
        select
            each.tenant_id,
            sum((each.took - each.seconds) / each.weight) as virtual_seconds,
            sum(each.took) filter (where each.is_over) as seconds
        from (
            select measured.tenant_id, measured.weight, measured.seconds, coalesce(measured.took, 0) as took, true
            from measured
            union all
            select charged.tenant_id, charged.weight, charged.seconds, charged.so_far, false
            from charged
            where charged.so_far > 2 * charged.seconds + 0.2
        ) as each (tenant_id, weight, seconds, took, is_over)
        group by each.tenant_id
    ),
    moved as (
        update partywall_private.turns as turns
        set virtual_time = greatest(settle.clock, turns.virtual_time + owed.virtual_seconds),
            used_seconds = turns.used_seconds * exp(extract(epoch from turns.used_at - now()) / 55)
                + coalesce(owed.seconds, 0),
            used_at = now()
        from owed
        where turns.lane = in_lane
          and turns.tenant_id = owed.tenant_id
        returning turns.virtual_time
    )
    update partywall_private.lanes as lanes
    set furthest = moved.furthest
    from (select max(moved.virtual_time) as furthest from moved) as moved
    where lanes.lane = in_lane
      and lanes.furthest < moved.furthest;
end
$$;

-- Returns the lane's clock, moved on to where the furthest tenant is if nobody waits who could start something: what a
-- tenant had while nobody else wanted it is no debt, however long its jobs take.
create or replace function partywall_private.forgive(in_lane text, clock float8)
returns float8
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    moved_to float8;
begin
    if exists (select 1 from partywall_private.eligible_turns(in_lane, 1, 1, clock)) then
        return clock;
    end if;
    update partywall_private.lanes as lanes
    set virtual_time = lanes.furthest
    where lanes.lane = in_lane
      and lanes.virtual_time < lanes.furthest
    returning lanes.virtual_time into moved_to;
    return coalesce(moved_to, clock);
end
$$;

-- Puts tenants that have something to start into the order, where the lane's clock is: who comes back from doing
-- nothing has saved nothing up. They come by notification, by the clock, or with `arrivals` null because everything
-- is looked at, by leaps from tenant to tenant.
create or replace function partywall_private.admit(
    in_lane text, from_queues text[], arrivals text[], clock float8
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
    found uuid[];
begin
    with due as materialized (
        select jobs.tenant_id, jobs.id
        from partywall.jobs as jobs
        where jobs.state = 'scheduled'
          and jobs.queue = any(from_queues)
          and jobs.run_at <= now()
        order by jobs.run_at
        limit 1000
        for update skip locked
    ),
    ready as (
        update partywall.jobs as jobs
        set state = 'queued'
        from due
        where jobs.tenant_id = due.tenant_id
          and jobs.id = due.id
        returning jobs.tenant_id
    )
    select array_agg(distinct ready.tenant_id) into found from ready;

    if arrivals is null then
        with recursive leaps as (
            (
                select jobs.tenant_id
                from partywall.jobs as jobs
                where jobs.state = 'queued'
                order by jobs.tenant_id
                limit 1
            )
            union all
            select further.tenant_id
            from leaps
            cross join lateral (
                select jobs.tenant_id
                from partywall.jobs as jobs
                where jobs.state = 'queued'
                  and jobs.tenant_id > leaps.tenant_id
                order by jobs.tenant_id
                limit 1
            ) as further
        )
        select found || array_agg(leaps.tenant_id) into found from leaps;
    else
        select found || array_agg(distinct partywall_private.announced_tenant(each.notification)) into found
        from unnest(arrivals) as each (notification);
    end if;

    with put_in_order as (
        insert into partywall_private.turns as turns (lane, tenant_id, virtual_time, waiting, is_new)
        select in_lane, limits.tenant_id, clock, true, true
        from (
            select unnest(found) as tenant_id
            union
            select rested.tenant_id
            from partywall_private.turns as rested
            where rested.lane = in_lane
              and rested.not_before <= now()
        ) as come
        inner join partywall_private.effective_limits as limits on come.tenant_id = limits.tenant_id
        -- One is enough; asked with `exists`, the planner may read all that a tenant has.
        cross join lateral (
            select 1
            from partywall.jobs as jobs
            where jobs.tenant_id = come.tenant_id
              and jobs.queue = any(from_queues)
              and jobs.state = 'queued'
            limit 1
        ) as some_job
        where limits.status <> 'suspended'
          and limits.flow <> 'paused'
          -- In the order already, or waiting for its rate.
          and not exists (
              select 1
              from partywall_private.turns as already
              where already.lane = in_lane
                and already.tenant_id = come.tenant_id
                and (already.waiting or already.not_before > now())
          )
        on conflict on constraint turns_pkey do update
        set waiting = true,
            not_before = null,
            is_new = turns.virtual_time <= excluded.virtual_time,
            virtual_time = greatest(turns.virtual_time, excluded.virtual_time)
        returning turns.tenant_id
    )
    update partywall_private.lanes as lanes
    set came_at = now()
    where lanes.lane = in_lane
      -- Whoever was told of. A look at everything finds, again and again, a tenant that has nothing we may start.
      and arrivals is not null
      and exists (
          select 1
          from put_in_order as come
          left join partywall_private.turns as before
              on before.lane = in_lane
              and come.tenant_id = before.tenant_id
          -- Who only waited for its rate was there all the while.
          where before.not_before is null
             or before.not_before < now() - interval '1 second'
      )
      and exists (
          select 1 from partywall_private.turns as others where others.lane = in_lane and others.waiting
      );
end
$$;

-- Takes tenants that were passed over out of the way: they have as much in flight as they may, and go on from where the
-- clock is, like everybody who had nothing to start; or nothing of theirs may start at all, and they leave the order.
-- However far the clock went: who is behind it is not looked for.
create or replace function partywall_private.set_aside(in_lane text, clock float8)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
    update partywall_private.turns as turns
    set virtual_time = set_aside.clock,
        waiting = limits.status <> 'suspended' and limits.flow <> 'paused'
    from partywall_private.effective_limits as limits
    where turns.tenant_id = limits.tenant_id
      and turns.lane = in_lane
      and turns.waiting
      and turns.virtual_time < set_aside.clock - 0.5
$$;
