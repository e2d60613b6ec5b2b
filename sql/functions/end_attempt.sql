-- The end of an attempt that did not succeed, whoever tells of it: the attempt itself, its worker, the reaper.

-- Returns the pause before the next attempt, for whoever knows nothing of the task's own policy: full jitter over a
-- span that doubles with every attempt, an hour at most.
create or replace function partywall_private.pause_after(attempt integer)
returns interval
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
    select random() * least(3600, 2 ^ least(attempt, 12)) * interval '1 second'
$$;

-- Ends a running attempt and notes it; returns the state its job is in now, null when that attempt is over already.
-- With `retry_after` the job waits for its next attempt while it has one; null means never again. What was handed back
-- does not count as a try, keeps its place in the tenant's order, and what it took of a rate. A job that lost its
-- worker too often has failed, whatever is left.
--
-- For what was handed back it locks the tenant's bucket, for which dispatches wait: whoever calls this ends soon after,
-- and waits for no other job meanwhile.
create or replace function partywall_private.end_attempt(
    tenant uuid, job uuid, number integer, outcome text, error jsonb, retry_after interval
)
returns text
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    was_lost  constant boolean := end_attempt.outcome in ('killed', 'lost');
    -- A body may cancel another job, and now() is when its transaction began: before that attempt did, perhaps.
    ends_at   constant timestamptz := clock_timestamp();
    new_state text;
begin
    with ended as (
        update partywall.jobs as jobs
        set (state, run_at, finished_at) = (
                select
                    verdict.state,
                    case
                        when end_attempt.outcome = 'handed_back' then jobs.run_at
                        when verdict.state in ('scheduled', 'queued') then now() + end_attempt.retry_after
                        else jobs.run_at
                    end,
                    case when verdict.state in ('scheduled', 'queued') then null else ends_at end
                from (
                    select case
                        when end_attempt.outcome = 'cancelled' then 'cancelled'
                        when end_attempt.outcome = 'handed_back' then 'queued'
                        when was_lost and jobs.lost + 1 >= jobs.max_lost then 'failed'
                        when jobs.attempt - jobs.handed_back >= jobs.max_attempts then 'failed'
                        when end_attempt.retry_after is null then 'failed'
                        when end_attempt.retry_after > interval '0' then 'scheduled'
                        else 'queued'
                    end
                ) as verdict (state)
            ),
            lost = jobs.lost + was_lost::integer,
            handed_back = jobs.handed_back + (end_attempt.outcome = 'handed_back')::integer,
            lease_expires_at = null,
            dispatch_nonce = null,
            error = case
                when end_attempt.outcome = 'handed_back' then jobs.error
                when was_lost and jobs.lost + 1 >= jobs.max_lost then jsonb_build_object(
                    'type', 'WorkerLostTooOften',
                    'message', format(
                        '%s attempts lost their worker. The last: %s', jobs.lost + 1, end_attempt.error ->> 'message'
                    )
                )
                else end_attempt.error
            end
        where jobs.tenant_id = end_attempt.tenant
          and jobs.id = end_attempt.job
          and jobs.attempt = end_attempt.number
          and jobs.state || '' = 'running'
        returning jobs.*
    ),
    noted as (
        insert into partywall.attempts (
            tenant_id, job_id, attempt, outcome, worker, worker_id, started_at, ended_at, error
        )
        select
            ended.tenant_id, ended.id, ended.attempt, end_attempt.outcome, ended.worker, ended.worker_id,
            ended.started_at, ends_at, end_attempt.error
        from ended
    )
    select ended.state into new_state from ended;

    if new_state is not null and end_attempt.outcome = 'handed_back' then
        perform partywall_private.give_token_back(end_attempt.tenant, 1);
    end if;
    if new_state = 'queued' then
        perform partywall_private.announce(end_attempt.tenant);
    end if;
    return new_state;
end
$$;

-- Ends attempts in the name of the process that ran them, which cannot speak any more: its worker's main process has
-- seen it killed (`killed`, `timed_out`), or is about to end it (`handed_back`). It must know the nonce with which they
-- were claimed and the process that claimed them, so it can say nothing of anybody else's. Returns what became of each.
-- Of a bundle the first was running; those after it had not begun and are handed back, whatever the first did.
create or replace function partywall.end_attempts(
    tenant uuid, job_ids uuid[], nonce uuid, claimed_by text, outcome text
)
returns table (job_id uuid, attempt integer, new_state text)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    words       constant jsonb := jsonb_build_object(
        'killed', jsonb_build_object('type', 'WorkerKilled', 'message', 'the process that ran it was killed'),
        'timed_out', jsonb_build_object(
            'type', 'TimeLimitExceeded', 'message', 'it ran past its hard time limit, and its process was killed'
        ),
        'handed_back', null
    );
    mine        record;
    its_outcome text := end_attempts.outcome;
begin
    for mine in
        -- All of them are locked before the first ends: waiting for one must not keep the tenant's bucket.
        with held as materialized (
            select jobs.id, jobs.attempt, jobs.bundle_place
            from partywall.jobs as jobs
            where jobs.tenant_id = end_attempts.tenant
              and jobs.id = any(end_attempts.job_ids)
              and jobs.dispatch_nonce = end_attempts.nonce
              and jobs.worker = end_attempts.claimed_by
              and jobs.state || '' = 'running'
              and words ? end_attempts.outcome
            order by jobs.bundle_place, jobs.id
            for no key update
        )
        select held.id, held.attempt
        from held
        order by held.bundle_place, held.id
    loop
        job_id := mine.id;
        attempt := mine.attempt;
        new_state := partywall_private.end_attempt(
            end_attempts.tenant, mine.id, mine.attempt, its_outcome, nullif(words -> its_outcome, 'null'::jsonb),
            case
                when its_outcome = 'handed_back' then interval '0'
                else partywall_private.pause_after(mine.attempt)
            end
        );
        its_outcome := 'handed_back';
        return next;
    end loop;
end
$$;

grant execute on function partywall.end_attempts(uuid, uuid[], uuid, text, text) to partywall_worker;

comment on function partywall.end_attempts(uuid, uuid[], uuid, text, text) is
'partywall: allow definer-executable, it speaks for whoever claimed the job with this nonce, and nobody else knows it';
