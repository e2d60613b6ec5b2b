-- Ends jobs that were to be started by a moment that has passed, at most `batch_limit`. Returns how many.
create or replace function partywall.expire_jobs(batch_limit integer)
returns integer
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    expired integer := 0;
    ended   record;
begin
    for ended in
        with late as materialized (
            select jobs.tenant_id, jobs.id, jobs.state
            from partywall.jobs as jobs
            where jobs.state in ('scheduled', 'queued', 'dispatched')
              and jobs.expires_at <= now()
            order by jobs.expires_at
            limit batch_limit
            for update skip locked
        ),
        done as (
            update partywall.jobs as jobs
            set state = 'expired',
                finished_at = now(),
                dispatch_nonce = null
            from late
            where jobs.tenant_id = late.tenant_id
              and jobs.id = late.id
            returning jobs.tenant_id, late.state
        )
        select
            done.tenant_id,
            count(*) as jobs,
            count(*) filter (where done.state = 'dispatched') as dispatched
        from done
        group by done.tenant_id
    loop
        expired := expired + ended.jobs;
        perform partywall_private.give_token_back(ended.tenant_id, ended.dispatched::integer);
    end loop;
    return expired;
end
$$;

grant execute on function partywall.expire_jobs(integer) to partywall_dispatcher;

comment on function partywall.expire_jobs(integer) is
'partywall: allow definer-executable, the reaper ends what nobody started in time; it sees a number only';
