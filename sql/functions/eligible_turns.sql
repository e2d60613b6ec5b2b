-- Returns the tenants of a lane that may have one more job started, in their order, at most `row_limit`. `allowance`:
-- how many more, at most `room`; `tokens`: what is in the bucket of one with a rate; `is_new`: it has had nothing since
-- it came back.
create or replace function partywall_private.eligible_turns(
    in_lane text, room integer, row_limit integer, clock float8
)
returns table (
    tenant_id uuid, slug text, status text, weight float8, rate float8, tokens float8, virtual_time float8,
    allowance integer, is_new boolean
)
language sql
stable
set search_path = pg_catalog, pg_temp
-- By the index of the order, whatever the planner knew of the tables when it looked.
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_sort = off
set jit = off
as $$
    select
        turns.tenant_id, limits.slug, limits.status, limits.weight, limits.rate, bucket.tokens,
        greatest(turns.virtual_time, eligible_turns.clock),
        least(room, limits.max_running - running.jobs, floor(bucket.tokens))::integer,
        turns.is_new
    from partywall_private.turns as turns
    inner join partywall_private.effective_limits as limits on turns.tenant_id = limits.tenant_id
    left join partywall_private.buckets as buckets on turns.tenant_id = buckets.tenant_id
    cross join lateral (
        select case when limits.rate is not null then least(
            limits.burst,
            coalesce(buckets.tokens + limits.rate * extract(epoch from now() - buckets.filled_at), limits.burst)
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
      and turns.virtual_time >= eligible_turns.clock - 1
      and limits.status <> 'suspended'
      and limits.flow <> 'paused'
      and (limits.max_running is null or running.jobs < limits.max_running)
      and (bucket.tokens is null or bucket.tokens >= 1)
    order by turns.virtual_time
    limit row_limit
$$;
