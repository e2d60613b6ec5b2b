-- Deletes the tenant's finished jobs that are older than its retention, at most `batch_limit`.
-- Returns how many; fewer than the limit means that none is left.
create or replace function partywall.prune_jobs(batch_limit integer)
returns integer
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    tenant uuid := partywall.current_tenant_id();
    pruned integer;
begin
    -- A common table expression, because it runs once. As a sub-select it may stand inside a nested loop and
    -- run again for every row; each time SKIP LOCKED passes over the rows before, and the limit is none.
    with doomed as materialized (
        select old.id
        from partywall.jobs as old
        inner join partywall.tenants as tenants on old.tenant_id = tenants.id
        where old.tenant_id = tenant
          and old.state in ('succeeded', 'failed', 'cancelled', 'expired')
          and old.finished_at < now() - make_interval(days => tenants.job_retention_days)
        order by old.id
        limit batch_limit
        for update of old skip locked
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
