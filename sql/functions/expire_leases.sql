-- Takes back the jobs of attempts whose lease has run out, at most `batch_limit`: their process is gone, stands still
-- or cannot reach the database. Should it come back, it finds the lease gone and nothing of it is kept.
-- Returns what became of each. Of a bundle the last places come first: where the limit leaves some of it, the one that
-- ran is among them, and the others are told by it.
create or replace function partywall.expire_leases(batch_limit integer)
returns table (tenant_id uuid, job_id uuid, attempt integer, new_state text)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    late record;
begin
    for late in
        select
            jobs.tenant_id, jobs.id, jobs.attempt,
            -- Of a bundle the first was running; those after it had not begun.
            case when exists (
                select 1
                from partywall.jobs as before
                where before.tenant_id = jobs.tenant_id
                  and before.state = 'running'
                  and before.dispatch_nonce = jobs.dispatch_nonce
                  and before.worker_id = jobs.worker_id
                  and before.bundle_place < jobs.bundle_place
            ) then 'handed_back' else 'lost' end as outcome
        from partywall.jobs as jobs
        where jobs.state = 'running'
          and jobs.lease_expires_at <= now()
        order by jobs.lease_expires_at, jobs.dispatch_nonce, jobs.bundle_place desc
        limit batch_limit
        for update skip locked
    loop
        tenant_id := late.tenant_id;
        job_id := late.id;
        attempt := late.attempt;
        new_state := partywall_private.end_attempt(
            late.tenant_id, late.id, late.attempt, late.outcome,
            case when late.outcome = 'lost' then jsonb_build_object(
                'type', 'LeaseExpired',
                'message', format('attempt %s did not end before its lease', late.attempt)
            ) end,
            case
                when late.outcome = 'lost' then partywall_private.pause_after(late.attempt)
                else interval '0'
            end
        );
        return next;
    end loop;
end
$$;

grant execute on function partywall.expire_leases(integer) to partywall_dispatcher;

comment on function partywall.expire_leases(integer) is
'partywall: allow definer-executable, the reaper ends every tenant''s lost attempts; it gets to see ids only';
