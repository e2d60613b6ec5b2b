-- Deletes the tenant's finished jobs that are older than its retention, at most `batch_limit`.
-- Returns how many; fewer than the limit means that none is left.
create or replace function partywall.prune_jobs(batch_limit integer)
returns integer
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
as $$
declare
    tenant   constant uuid := partywall.current_tenant_id();
    -- Known before it is asked for, so that the index gives the oldest first; out of a join they would be sorted.
    old_from constant timestamptz := now() - (
        select make_interval(days => tenants.job_retention_days)
        from partywall.tenants as tenants
        where tenants.id = tenant
    );
    pruned   integer;
begin
    -- A common table expression, because it runs once. As a sub-select it may stand inside a nested loop and
    -- run again for every row; each time SKIP LOCKED passes over the rows before, and the limit is none.
    with doomed as materialized (
        select old.id
        from partywall.jobs as old
        where old.tenant_id = tenant
          and old.finished_at < old_from
        order by old.finished_at
        limit batch_limit
        for update skip locked
    )
    delete from partywall.jobs as jobs
    using doomed
    where jobs.tenant_id = tenant
      and jobs.id = doomed.id;

    get diagnostics pruned = row_count;
    return pruned;
end
$$;

grant execute on function partywall.prune_jobs(integer) to partywall_worker;

comment on function partywall.prune_jobs(integer) is
'partywall: allow definer-executable, it deletes jobs of the tenant of the transaction only';
