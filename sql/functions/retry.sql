-- Letting jobs that have ended without success try once more. Their attempts are counted on; at least one is left.

-- Puts one job back; it must be locked. Returns false when its unique key has another live job by now.
create or replace function partywall_private.requeue(tenant uuid, job uuid)
returns boolean
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    update partywall.jobs as jobs
    set state = 'queued',
        run_at = now(),
        finished_at = null,
        max_attempts = greatest(jobs.max_attempts, jobs.attempt - jobs.handed_back + 1),
        max_lost = greatest(jobs.max_lost, jobs.lost + 1),
        -- What it was to be started by has passed; whoever asks for another try knows.
        expires_at = null,
        cancelled_by = null,
        cancel_reason = null
    where jobs.tenant_id = requeue.tenant
      and jobs.id = requeue.job;
    return true;
exception when unique_violation then
    return false;
end
$$;

-- Retries a job of this transaction's tenant. Returns the state it had before, null when the tenant has no such job;
-- only `failed`, `cancelled` and `expired` change. Raises PW005, PW006 when the tenant may not work, PW016, PW017,
-- PW018, PW022.
create or replace function partywall.retry_job(job_id uuid)
returns text
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    tenant constant uuid := partywall.current_tenant_id();
    job    record;
begin
    select jobs.state, jobs.runs_for_deleted into job
    from partywall.jobs as jobs
    where jobs.tenant_id = tenant
      and jobs.id = retry_job.job_id
    for no key update;

    if job.state in ('failed', 'cancelled', 'expired') then
        perform partywall_private.require_active_tenant(tenant, job.runs_for_deleted);
        perform partywall_private.require_room(tenant, 1);
        if not partywall_private.requeue(tenant, retry_job.job_id) then
            raise exception 'another job with its unique key is live' using
                errcode = 'PW016',
                hint = 'Wait until that one is over, or cancel it.';
        end if;
        perform partywall_private.announce(tenant);
    end if;
    return job.state;
end
$$;

-- Retries the oldest jobs of all active tenants that ended in `with_state` from `since` until before `until`, at most
-- `batch_limit`; null leaves a filter out. Those stay whose unique key is taken, whose tenant is being drained, or for
-- which its queue has no room. Returns the ids of those that wait again. Each is a subtransaction: ask for some hundred
-- at a time, and with the same `until`, so that what has failed again meanwhile is not retried a second time.
create or replace function partywall.retry_jobs(
    with_state text, with_task text, with_slug text, since timestamptz, until timestamptz, batch_limit integer
)
returns table (tenant_slug text, job_id uuid)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
as $$
declare
    ended     record;
    owner_id  text;
    -- By tenant: how many jobs more may wait, null for any number. Of those whose turn came.
    rooms     jsonb := '{}';
    missing   integer := batch_limit;
    was_full  boolean;
begin
    -- A queue that is full shows when its tenant's turn comes. Then once more without it: as many of its jobs as the
    -- limit would keep the others from their turn.
    loop
        was_full := false;
        for ended in
            select jobs.tenant_id, jobs.id, limits.slug, limits.max_queued
            from partywall.jobs as jobs
            inner join partywall_private.effective_limits as limits on jobs.tenant_id = limits.tenant_id
            where jobs.state in ('failed', 'cancelled', 'expired')
              and jobs.state = with_state
              and limits.status = 'active'
              and limits.flow <> 'draining'
              and (rooms ->> jobs.tenant_id::text)::integer is distinct from 0
              and (with_task is null or jobs.task_name = with_task)
              and (with_slug is null or limits.slug = with_slug)
              and (since is null or jobs.finished_at >= since)
              and (until is null or jobs.finished_at < until)
              -- So would these.
              and not exists (
                  select 1
                  from partywall.jobs as live
                  where live.tenant_id = jobs.tenant_id
                    and live.unique_key = jobs.unique_key
                    and live.state in ('scheduled', 'queued', 'dispatched', 'running')
              )
            order by jobs.finished_at
            limit missing
            for update of jobs skip locked
        loop
            owner_id := ended.tenant_id;
            if not rooms ? owner_id then
                rooms := rooms || jsonb_build_object(
                    owner_id, partywall_private.room_of(ended.tenant_id, ended.max_queued)
                );
            end if;
            if (rooms ->> owner_id)::integer = 0 then
                was_full := true;
                continue;
            end if;
            continue when not partywall_private.requeue(ended.tenant_id, ended.id);
            rooms := rooms || jsonb_build_object(owner_id, (rooms ->> owner_id)::integer - 1);
            missing := missing - 1;
            tenant_slug := ended.slug;
            job_id := ended.id;
            return next;
        end loop;
        exit when missing = 0 or not was_full;
    end loop;
    perform partywall_private.announce(null);
end
$$;

grant execute on function partywall.retry_job(uuid) to partywall_api, partywall_operator;
grant execute on function partywall.retry_jobs(text, text, text, timestamptz, timestamptz, integer)
to partywall_operator;

comment on function partywall.retry_job(uuid) is
'partywall: allow definer-executable, it starts jobs of the tenant of the transaction only';
comment on function partywall.retry_jobs(text, text, text, timestamptz, timestamptz, integer) is
'partywall: allow definer-executable, the operator may let any job try again, and sees nothing a tenant wrote';
