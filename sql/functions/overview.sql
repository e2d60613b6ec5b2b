-- What an operator sees without entering a tenant: which jobs there are and how they stand, never what
-- a tenant wrote into them.

-- Returns jobs of all tenants, newest first, at most `row_limit`. Null leaves a filter out.
create or replace function partywall.jobs_overview(
    with_state text, with_task text, with_slug text, with_id uuid, row_limit integer
)
returns table (
    tenant_id uuid, tenant_slug text, id uuid, task_name text, queue text, state text, attempt integer,
    max_attempts integer, run_at timestamptz, created_at timestamptz, started_at timestamptz, finished_at timestamptz
)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
    select
        jobs.tenant_id, tenants.slug, jobs.id, jobs.task_name, jobs.queue, jobs.state, jobs.attempt,
        jobs.max_attempts, jobs.run_at, jobs.created_at, jobs.started_at, jobs.finished_at
    from partywall.tenants as tenants
    cross join lateral (
        select *
        from partywall.jobs as own
        where own.tenant_id = tenants.id
          and (with_state is null or own.state = with_state)
          and (with_task is null or own.task_name = with_task)
          and (with_id is null or own.id = with_id)
        order by own.id desc
        limit row_limit
    ) as jobs
    where with_slug is null or tenants.slug = with_slug
    order by jobs.id desc
    limit row_limit
$$;

grant execute on function partywall.jobs_overview(text, text, text, uuid, integer) to partywall_operator;

comment on function partywall.jobs_overview(text, text, text, uuid, integer) is
'partywall: allow definer-executable, the operator sees how all jobs stand, nothing a tenant wrote';
