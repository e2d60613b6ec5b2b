-- Choosing what the broker is told next. Called by the leading dispatcher alone; SKIP LOCKED makes a
-- second caller harmless.

-- Moves the oldest ready jobs of one queue to `dispatched` and returns what to send, at most `batch_limit`,
-- and never so many that more than `in_flight_limit` of the queue are at the broker: work waits here, where
-- order, suspension and cancellation can still act on it. Each queue has a window of its own, so one that
-- nobody serves holds up no other. Only `known_tasks` are sent, null for all: a worker would drop any other.
--
-- A job that was sent and not claimed within `resend_after` is sent again with the nonce it had: the broker
-- may have lost the message, and if it has not, the first claim wins and the second finds nothing. The pause
-- doubles with every send, so that a queue whose workers are away for a day does not fill the broker.
create or replace function partywall.dispatch(
    from_queue text, known_tasks text[], batch_limit integer, in_flight_limit integer, resend_after interval
)
returns table (tenant_id uuid, tenant_slug text, job_id uuid, task_name text, queue text, nonce uuid)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    in_flight integer;
begin
    -- What was sent for a tenant that is suspended since was dropped by its worker. It waits for the tenant and
    -- may not fill the window of the others.
    select count(*) into in_flight
    from partywall.jobs as jobs
    inner join partywall.tenants as tenants on jobs.tenant_id = tenants.id
    where jobs.state = 'dispatched'
      and jobs.queue = from_queue
      and (known_tasks is null or jobs.task_name = any(known_tasks))
      and (tenants.status = 'active' or (tenants.status = 'deleting' and jobs.runs_for_deleted));

    return query
        with overdue as materialized (
            select jobs.tenant_id, jobs.id
            from partywall.jobs as jobs
            inner join partywall.tenants as tenants on jobs.tenant_id = tenants.id
            where jobs.state = 'dispatched'
              and jobs.queue = from_queue
              and (known_tasks is null or jobs.task_name = any(known_tasks))
              and jobs.dispatched_at <= now() - resend_after * (2 ^ least(jobs.sends - 1, 7))
              and (tenants.status = 'active' or (tenants.status = 'deleting' and jobs.runs_for_deleted))
            order by jobs.dispatched_at
            limit batch_limit
            for update of jobs skip locked
        ),
        ready as materialized (
            select jobs.tenant_id, jobs.id
            from partywall.jobs as jobs
            inner join partywall.tenants as tenants on jobs.tenant_id = tenants.id
            where jobs.state in ('scheduled', 'queued')
              and jobs.queue = from_queue
              and (known_tasks is null or jobs.task_name = any(known_tasks))
              and jobs.run_at <= now()
              and (jobs.expires_at is null or jobs.expires_at > now())
              and (tenants.status = 'active' or (tenants.status = 'deleting' and jobs.runs_for_deleted))
            order by jobs.run_at, jobs.id
            limit greatest(
                0, least(batch_limit - (select count(*) from overdue), in_flight_limit - in_flight)
            )
            for update of jobs skip locked
        ),
        chosen as (
            select overdue.tenant_id, overdue.id from overdue
            union all
            select ready.tenant_id, ready.id from ready
        ),
        sent as (
            update partywall.jobs as jobs
            set state = 'dispatched',
                dispatched_at = now(),
                dispatch_nonce = case when jobs.state = 'dispatched' then jobs.dispatch_nonce else gen_random_uuid() end,
                sends = case when jobs.state = 'dispatched' then jobs.sends + 1 else 1 end
            from chosen
            where jobs.tenant_id = chosen.tenant_id
              and jobs.id = chosen.id
            returning jobs.tenant_id, jobs.id, jobs.task_name, jobs.queue, jobs.dispatch_nonce, jobs.run_at
        )
        select sent.tenant_id, tenants.slug, sent.id, sent.task_name, sent.queue, sent.dispatch_nonce
        from sent
        inner join partywall.tenants as tenants on sent.tenant_id = tenants.id
        order by sent.run_at, sent.id;
end
$$;

-- Takes back what could not be handed to the broker. A message that got through after all finds its
-- nonce gone and is dropped; a job that a worker is claiming at this moment is left to it. Returns how
-- many jobs wait again.
create or replace function partywall.undo_dispatch(nonces uuid[])
returns integer
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    taken_back integer;
begin
    update partywall.jobs as jobs
    set state = 'queued',
        dispatch_nonce = null,
        dispatched_at = null
    from (
        -- Waiting for a claim of several jobs, one of which waits for us, would be a deadlock.
        select sent.tenant_id, sent.id
        from partywall.jobs as sent
        where sent.state = 'dispatched'
          and sent.dispatch_nonce = any(nonces)
        for update skip locked
    ) as unsent
    where jobs.tenant_id = unsent.tenant_id
      and jobs.id = unsent.id;

    get diagnostics taken_back = row_count;
    return taken_back;
end
$$;

grant execute on function partywall.dispatch(text, text[], integer, integer, interval) to partywall_dispatcher;
grant execute on function partywall.undo_dispatch(uuid[]) to partywall_dispatcher;

comment on function partywall.dispatch(text, text[], integer, integer, interval) is
'partywall: allow definer-executable, the dispatcher orders all tenants'' jobs; it gets to see ids, not payloads';
comment on function partywall.undo_dispatch(uuid[]) is
'partywall: allow definer-executable, the dispatcher takes back only jobs whose nonce it knows';
