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

grant execute on function partywall.tenants_top(integer) to partywall_operator;

comment on function partywall.tenants_top(integer) is
'partywall: allow definer-executable, the operator sees who uses how much, nothing a tenant wrote';
