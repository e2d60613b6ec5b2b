-- Takes back the jobs of attempts whose lease has run out, at most `batch_limit`: the next attempt, after a
-- pause with full jitter that doubles with every attempt, or the end when there is none left.
-- Returns what became of each.
create or replace function partywall.expire_leases(batch_limit integer)
returns table (tenant_id uuid, job_id uuid, attempt integer, new_state text)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return query
        with expired as (
            select jobs.tenant_id, jobs.id
            from partywall.jobs as jobs
            where jobs.state = 'running'
              and jobs.lease_expires_at <= now()
            order by jobs.lease_expires_at
            limit batch_limit
            for update skip locked
        )
        update partywall.jobs as jobs
        set state = case when jobs.attempt < jobs.max_attempts then 'queued' else 'failed' end,
            run_at = case
                when jobs.attempt < jobs.max_attempts
                    then now() + random() * least(3600, 2 ^ least(jobs.attempt, 12)) * interval '1 second'
                else jobs.run_at
            end,
            finished_at = case when jobs.attempt < jobs.max_attempts then null else now() end,
            lease_expires_at = null,
            error = jsonb_build_object(
                'type', 'LeaseExpired',
                'message', format('attempt %s did not end before its lease', jobs.attempt)
            )
        from expired
        where jobs.tenant_id = expired.tenant_id
          and jobs.id = expired.id
        returning jobs.tenant_id, jobs.id, jobs.attempt, jobs.state;
end
$$;

grant execute on function partywall.expire_leases(integer) to partywall_dispatcher;

comment on function partywall.expire_leases(integer) is
'partywall: allow definer-executable, the reaper ends every tenant''s lost attempts; it gets to see ids only';
