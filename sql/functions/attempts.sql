-- What a running attempt may say about itself. Which job and which attempt is not an argument: it stands
-- in the token that the transaction entered with, so no attempt can speak for another.
-- Each raises PW009 when the attempt no longer holds the lease; its transaction then rolls back.

create or replace function partywall_private.raise_lease_lost(job_id uuid, attempt integer)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception 'attempt % of job % no longer holds the lease', attempt, job_id using
        errcode = 'PW009',
        hint = 'Another attempt has it or the job is over. Nothing this attempt wrote was kept.';
end
$$;

-- Records success, in the same transaction as the effects.
create or replace function partywall.finish(result jsonb)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
    -- The transaction is the body's; now() is when that began.
    ends_at constant timestamptz := clock_timestamp();
    mine    record;
    job     record;
begin
    select * into mine from partywall_private.current_attempt();

    update partywall.jobs as jobs
    set state = 'succeeded',
        finished_at = ends_at,
        lease_expires_at = null,
        dispatch_nonce = null,
        result = finish.result,
        error = null,
        checkpoint = null
    where jobs.tenant_id = mine.tenant_id
      and jobs.id = mine.job_id
      and jobs.attempt = mine.attempt
      and jobs.state || '' = 'running'
    returning jobs.attempt, jobs.worker, jobs.worker_id, jobs.started_at into job;

    if found then
        insert into partywall.attempts (tenant_id, job_id, attempt, outcome, worker, worker_id, started_at, ended_at)
        values (
            mine.tenant_id, mine.job_id, job.attempt, 'succeeded', job.worker, job.worker_id, job.started_at, ends_at
        );
    else
        perform partywall_private.raise_lease_lost(mine.job_id, mine.attempt);
    end if;
end
$$;

-- Records an attempt that did not succeed, after its effects were rolled back: `failed`, `timed_out` or
-- `cancelled` by its own body. With `retry_after` and attempts left the job waits for its next attempt; otherwise it
-- has failed. Returns the state it is in now.
create or replace function partywall.fail(error jsonb, retry_after interval, outcome text)
returns text
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    mine      record;
    new_state text;
begin
    select * into mine from partywall_private.current_attempt();
    new_state := partywall_private.end_attempt(
        mine.tenant_id, mine.job_id, mine.attempt,
        case when fail.outcome in ('timed_out', 'cancelled') then fail.outcome else 'failed' end,
        fail.error, fail.retry_after
    );
    if new_state is null then
        perform partywall_private.raise_lease_lost(mine.job_id, mine.attempt);
    end if;

    if fail.outcome = 'cancelled' then
        update partywall.jobs as jobs
        set cancelled_by = format('job/%s/%s', mine.job_id, mine.attempt),
            cancel_reason = left(fail.error ->> 'message', 500)
        where jobs.tenant_id = mine.tenant_id
          and jobs.id = mine.job_id;
    end if;
    return new_state;
end
$$;

-- Says how far the body is. Called in a transaction of its own, so that it shows while the body runs.
create or replace function partywall.report_progress(current bigint, total bigint, note text)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    mine record;
begin
    select * into mine from partywall_private.current_attempt();

    update partywall.jobs as jobs
    set progress_current = report_progress.current,
        progress_total = report_progress.total,
        progress_note = left(report_progress.note, 500)
    where jobs.tenant_id = mine.tenant_id
      and jobs.id = mine.job_id
      and jobs.attempt = mine.attempt
      and jobs.state || '' = 'running';

    if not found then
        perform partywall_private.raise_lease_lost(mine.job_id, mine.attempt);
    end if;
end
$$;

-- Keeps what this transaction wrote together with where to go on from: a retry starts with `state`.
create or replace function partywall.save_checkpoint(state jsonb)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    mine record;
begin
    select * into mine from partywall_private.current_attempt();

    update partywall.jobs as jobs
    set checkpoint = save_checkpoint.state
    where jobs.tenant_id = mine.tenant_id
      and jobs.id = mine.job_id
      and jobs.attempt = mine.attempt
      and jobs.state || '' = 'running';

    if not found then
        perform partywall_private.raise_lease_lost(mine.job_id, mine.attempt);
    end if;
end
$$;

-- Asks for leave to commit. The share lock makes whoever would take the job away wait for this commit.
create or replace function partywall.hold_lease()
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
    mine record;
begin
    select * into mine from partywall_private.current_attempt();

    perform 1
    from partywall.jobs as jobs
    where jobs.tenant_id = mine.tenant_id
      and jobs.id = mine.job_id
      and jobs.attempt = mine.attempt
      and jobs.state || '' = 'running'
    for share;

    if not found then
        perform partywall_private.raise_lease_lost(mine.job_id, mine.attempt);
    end if;
end
$$;

grant execute on function
partywall.finish(jsonb),
partywall.fail(jsonb, interval, text),
partywall.report_progress(bigint, bigint, text),
partywall.save_checkpoint(jsonb),
partywall.hold_lease()
to partywall_worker;

comment on function partywall.finish(jsonb) is
'partywall: allow definer-executable, it speaks for no job but the one its token names';
comment on function partywall.fail(jsonb, interval, text) is
'partywall: allow definer-executable, it speaks for no job but the one its token names';
comment on function partywall.report_progress(bigint, bigint, text) is
'partywall: allow definer-executable, it speaks for no job but the one its token names';
comment on function partywall.save_checkpoint(jsonb) is
'partywall: allow definer-executable, it speaks for no job but the one its token names';
comment on function partywall.hold_lease() is
'partywall: allow definer-executable, it speaks for no job but the one its token names';
