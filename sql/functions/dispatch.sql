-- Choosing what the broker is told next. Called by the leading dispatcher; a second caller waits for the first.

-- Moves the next ready jobs of the queues of a lane, in fair order, to `dispatched` and returns what to send, at most
-- `batch_limit`. Jobs with one nonce are one message; one that `overtakes` goes before those that wait at the broker.
-- Only `known_tasks` are sent, null for all, and of those what a worker of the queues knows: it would drop any other.
--
-- from_queues: the queues that share workers.
-- arrivals: what was notified since the last call; null looks at every tenant.
-- in_flight_limit: no more than this are at the broker at a time: work waits here, where order, limits, suspension and
--     cancellation can still act on it. Each lane has a window of its own, so one that nobody serves holds up no other.
-- in_flight_spare, in_flight_seconds: beyond so many jobs no more than so much run time is at the broker; null means
--     that the number is all that counts. What overtakes is sent all the same, up to twice as many messages.
-- bundle_limit, bundle_seconds: so many jobs, for so much run time, share a message.
-- can_overtake: the broker lets a message go before others.
-- come_and_go: what the run time in a message is multiplied with while tenants come and go; where none can overtake,
--     what is at the broker too.
--
-- A job that was sent and not claimed within `resend_after` is sent again with the nonce it had: the broker may have
-- lost the message, and if it has not, the first claim wins and the second finds nothing. The pause doubles with every
-- send, so that a queue whose workers are away for a day does not fill the broker.
create or replace function partywall.dispatch(
    from_queues text[], known_tasks text[], arrivals text[], batch_limit integer, in_flight_limit integer,
    resend_after interval, in_flight_spare integer default 0, in_flight_seconds float8 default null,
    bundle_limit integer default 1, bundle_seconds float8 default 0, come_and_go float8 default 0.5,
    can_overtake boolean default false
)
returns table (
    tenant_id uuid, tenant_slug text, job_id uuid, task_name text, queue text, nonce uuid, overtakes boolean
)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
    lane         constant text := from_queues[1];
    clock        float8;
    at_broker    record;
    resent       integer;
    room         integer;
    shortened_to float8;
begin
    -- Whatever a crash takes back of this was not claimed: claims wait for the disk, and for what lies before them.
    -- What is sent for it finds no job of its nonce.
    perform set_config('synchronous_commit', 'off', true);
    known_tasks := partywall_private.runnable_tasks(from_queues, known_tasks);
    clock := partywall_private.lead_lane(from_queues, known_tasks);
    perform partywall_private.settle(lane, from_queues, clock);
    clock := partywall_private.forgive(lane, clock);
    perform partywall_private.admit(lane, from_queues, arrivals, clock);

    return query
        select again.*, false
        from partywall_private.resend(from_queues, known_tasks, batch_limit, resend_after) as again;
    get diagnostics resent = row_count;

    -- What was sent for a tenant that is suspended since was dropped by its worker. It waits for the tenant and
    -- may not fill the window of the others.
    select
        count(*) as jobs, coalesce(sum(charges.seconds), 0) as seconds, count(distinct jobs.dispatch_nonce) as messages
    into at_broker
    from partywall.jobs as jobs
    inner join partywall.tenants as tenants on jobs.tenant_id = tenants.id
    left join partywall_private.charges as charges on jobs.tenant_id = charges.tenant_id and jobs.id = charges.job_id
    where jobs.state = 'dispatched'
      and jobs.queue = any(from_queues)
      and (known_tasks is null or jobs.task_name = any(known_tasks))
      and (tenants.status = 'active' or (tenants.status = 'deleting' and jobs.runs_for_deleted));

    -- The rest of a message that was begun is ahead of whoever comes now, and what cannot be overtaken. While all have a
    -- backlog that is nobody's loss, and work goes on without a gap; while tenants come and go it is kept short.
    select case when lanes.came_at > now() - interval '1 second' then come_and_go else 1 end into shortened_to
    from partywall_private.lanes as lanes
    where lanes.lane = from_queues[1];

    room := least(batch_limit - resent, in_flight_limit - at_broker.jobs);
    if room > 0 then
        return query
            select *
            from partywall_private.next_jobs(
                lane, from_queues, known_tasks, room, (in_flight_spare - at_broker.jobs)::integer,
                case when can_overtake then (2 * in_flight_spare - at_broker.messages)::integer else 0 end,
                case when can_overtake then 1 else shortened_to end * in_flight_seconds - at_broker.seconds,
                bundle_limit, shortened_to * bundle_seconds, clock
            );
        select lanes.virtual_time into clock from partywall_private.lanes as lanes where lanes.lane = from_queues[1];
        perform partywall_private.set_aside(lane, clock);
    end if;
end
$$;

-- Sends again what was sent and not claimed in time, at most `batch_limit`, oldest first.
create or replace function partywall_private.resend(
    from_queues text[], known_tasks text[], batch_limit integer, resend_after interval
)
returns table (tenant_id uuid, tenant_slug text, job_id uuid, task_name text, queue text, nonce uuid)
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
    with overdue as materialized (
        select jobs.tenant_id, jobs.id
        from partywall.jobs as jobs
        inner join partywall.tenants as tenants on jobs.tenant_id = tenants.id
        where jobs.state = 'dispatched'
          and jobs.queue = any(from_queues)
          and (known_tasks is null or jobs.task_name = any(known_tasks))
          and jobs.dispatched_at <= now() - resend_after * (2 ^ least(jobs.sends - 1, 7))
          and (tenants.status = 'active' or (tenants.status = 'deleting' and jobs.runs_for_deleted))
        order by jobs.dispatched_at
        limit batch_limit
        for update of jobs skip locked
    )
    select again.*
    from (select array_agg(overdue.tenant_id) as tenants, array_agg(overdue.id) as jobs from overdue) as found
    cross join lateral partywall_private.send_again(found.tenants, found.jobs) as again
    where found.jobs is not null
$$;

-- Says of jobs that were sent, and are locked, that they are sent now, with the nonce they had; returns them, what was
-- one message together again.
create or replace function partywall_private.send_again(tenants uuid[], jobs uuid[])
returns table (tenant_id uuid, tenant_slug text, job_id uuid, task_name text, queue text, nonce uuid)
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
    with sent as (
        update partywall.jobs as again
        set dispatched_at = now(),
            sends = again.sends + 1
        from unnest(send_again.tenants, send_again.jobs) as overdue (tenant_id, id)
        where again.tenant_id = overdue.tenant_id
          and again.id = overdue.id
        returning
            again.tenant_id, again.id, again.task_name, again.queue, again.dispatch_nonce, again.run_at,
            again.bundle_place
    )
    select sent.tenant_id, owners.slug, sent.id, sent.task_name, sent.queue, sent.dispatch_nonce
    from sent
    inner join partywall.tenants as owners on sent.tenant_id = owners.id
    order by
        min(sent.run_at) over (partition by sent.dispatch_nonce), sent.dispatch_nonce, sent.bundle_place, sent.id
$$;

-- Takes back what could not be handed to the broker. A message that got through after all finds its
-- nonce gone and is dropped; a job that a worker is claiming at this moment is left to it. Returns how
-- many jobs wait again. Nobody is told: while the broker is away, the next look at everything is soon enough.
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
    with unsent as materialized (
        -- Waiting for a claim of several jobs, one of which waits for us, would be a deadlock.
        select sent.tenant_id, sent.id
        from partywall.jobs as sent
        where sent.state = 'dispatched'
          and sent.dispatch_nonce = any(nonces)
        for update skip locked
    ),
    undone as (
        update partywall.jobs as jobs
        set state = 'queued',
            dispatch_nonce = null,
            dispatched_at = null
        from unsent
        where jobs.tenant_id = unsent.tenant_id
          and jobs.id = unsent.id
        returning jobs.tenant_id
    ),
    back as (
        select undone.tenant_id, count(*) as jobs from undone group by undone.tenant_id
    ),
    refunded as (
        update partywall_private.buckets as buckets
        set tokens = buckets.tokens + back.jobs
        from back
        where buckets.tenant_id = back.tenant_id
    ),
    looked_at_again as (
        select partywall_private.look_again(array_agg(back.tenant_id)) from back
    )
    select coalesce(sum(back.jobs), 0) into taken_back from back, looked_at_again;
    return taken_back;
end
$$;

grant execute on function partywall.dispatch(
    text[], text[], text[], integer, integer, interval, integer, float8, integer, float8, float8, boolean
) to partywall_dispatcher;
grant execute on function partywall.undo_dispatch(uuid[]) to partywall_dispatcher;

comment on function partywall.dispatch(
    text[], text[], text[], integer, integer, interval, integer, float8, integer, float8, float8, boolean
) is
'partywall: allow definer-executable, the dispatcher orders all tenants'' jobs; it gets to see ids, not payloads';
comment on function partywall.undo_dispatch(uuid[]) is
'partywall: allow definer-executable, the dispatcher takes back only jobs whose nonce it knows';
