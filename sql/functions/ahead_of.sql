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
