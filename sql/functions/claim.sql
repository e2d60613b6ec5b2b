-- Starts an attempt of each job that the message names, and returns what the worker needs to run it,
-- with a token that is good for this attempt only, for `lifetime`; its lease is shorter, and heartbeats extend it.
-- No row: someone else has it, or it is over; drop the message. A forged message fails here: it must know
-- the nonce of a dispatched job and name its task; whoever does not is told nothing, not even whether there is such a
-- tenant.
--
-- A job that is named is found by its key. `state || ''` keeps the planner, here and wherever else a job is named, from
-- the small indexes of jobs in some state: it takes them for cheaper, reads all of the tenant's in them, and those that
-- were there since the last vacuum.
--
-- Raises PW005 or PW006 when the tenant may not work (PW004 has no job to wait); the jobs stay and are sent again.
create or replace function partywall.claim(
    tenant uuid, job_ids uuid[], nonce uuid, task text, claimed_by text, claimed_by_id uuid, lease interval,
    lifetime interval
)
returns table (
    job_id uuid, attempt integer, max_attempts integer, payload jsonb, checkpoint jsonb,
    tenant_slug text, tenant_name text, lease_expires_at timestamptz, token text
)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    runs_for_deleted boolean;
begin
    select bool_and(jobs.runs_for_deleted) into runs_for_deleted
    from partywall.jobs as jobs
    where jobs.tenant_id = claim.tenant
      and jobs.id = any(claim.job_ids)
      and jobs.state || '' = 'dispatched'
      and jobs.dispatch_nonce = claim.nonce
      and jobs.task_name = claim.task;

    if runs_for_deleted is null then
        return;
    end if;
    perform partywall_private.require_active_tenant(claim.tenant, runs_for_deleted);
    -- An attempt's number is never given twice: no crash may take this back, whatever the login's settings say.
    if current_setting('synchronous_commit') = 'off' then
        perform set_config('synchronous_commit', 'on', true);
    end if;

    return query
        with claimed as (
            update partywall.jobs as jobs
            set state = 'running',
                attempt = jobs.attempt + 1,
                started_at = now(),
                lease_expires_at = now() + claim.lease,
                worker = claim.claimed_by,
                worker_id = claim.claimed_by_id,
                progress_current = null,
                progress_total = null,
                progress_note = null
            where jobs.tenant_id = claim.tenant
              and jobs.id = any(claim.job_ids)
              and jobs.state || '' = 'dispatched'
              and jobs.dispatch_nonce = claim.nonce
              and jobs.task_name = claim.task
              and (jobs.expires_at is null or jobs.expires_at > now())
            returning jobs.*
        )
        select
            claimed.id, claimed.attempt, claimed.max_attempts, claimed.payload, claimed.checkpoint,
            tenants.slug, tenants.name, claimed.lease_expires_at,
            partywall_private.mint(
                claimed.tenant_id, format('job/%s/%s', claimed.id, claimed.attempt), claim.lifetime
            )
        from claimed
        inner join partywall.tenants as tenants on claimed.tenant_id = tenants.id
        order by array_position(claim.job_ids, claimed.id);
end
$$;

grant execute on function partywall.claim(uuid, uuid[], uuid, text, text, uuid, interval, interval) to partywall_worker;

comment on function partywall.claim(uuid, uuid[], uuid, text, text, uuid, interval, interval) is
'partywall: allow definer-executable, whoever knows the nonce of a dispatched job may start it, nobody else';
