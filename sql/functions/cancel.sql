-- Ending a job from outside. It is over with the statement: a worker that still runs it finds its lease gone, so
-- nothing it wrote is kept, and its next heartbeat tells its body to stop.

-- Cancels a job of this transaction's tenant in the name of whoever the token says it is. Returns the state it had
-- before, null when the tenant has no such job; what is over stays as it is.
create or replace function partywall.cancel_job(job_id uuid, reason text)
returns text
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    tenant  constant uuid := partywall.current_tenant_id();
    asker   constant text := split_part(current_setting('partywall.token'), '.', 4);
    job     record;
begin
    select jobs.state, jobs.attempt into job
    from partywall.jobs as jobs
    where jobs.tenant_id = tenant
      and jobs.id = cancel_job.job_id
    -- Not `for update`: a body that was answered with this job, by its unique key, refers to it until it commits.
    for no key update;

    if job.state is null or job.state in ('succeeded', 'failed', 'cancelled', 'expired') then
        return job.state;
    end if;

    if job.state = 'running' then
        perform partywall_private.end_attempt(
            tenant, cancel_job.job_id, job.attempt, 'cancelled',
            jsonb_build_object('type', 'JobCancelled', 'message', coalesce(left(cancel_job.reason, 500), '')), null
        );
    end if;
    update partywall.jobs as jobs
    set state = 'cancelled',
        finished_at = coalesce(jobs.finished_at, clock_timestamp()),
        dispatch_nonce = null,
        cancelled_by = asker,
        cancel_reason = left(cancel_job.reason, 500)
    where jobs.tenant_id = tenant
      and jobs.id = cancel_job.job_id;

    -- A body goes on after this, perhaps for long, and the dispatcher would wait for the bucket until it ends.
    if job.state = 'dispatched' and not pg_has_role(session_user, 'partywall_worker', 'usage') then
        perform partywall_private.give_token_back(tenant, 1);
    end if;
    return job.state;
end
$$;

grant execute on function partywall.cancel_job(uuid, text) to partywall_api, partywall_operator, partywall_worker;

comment on function partywall.cancel_job(uuid, text) is
'partywall: allow definer-executable, it ends jobs of the tenant of the transaction only';
