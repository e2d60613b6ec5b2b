-- What a broker that was emptied, or restarted with nothing, no longer knows: sent again at once. The long patience is
-- for messages that only wait.

-- `at_broker` messages of the queue wait at the broker, each of one nonce: those that were sent last, because it gives
-- them out in order, but for the few that overtake. What was sent before them and not claimed is lost, or with a worker
-- that is about to claim it; `lost_after` is how long that may take, and doubles with every send. Returns what to send
-- again, the oldest first, at most `batch_limit`. Where that is wrong, a message is there twice: both have the same
-- nonce, and the second claim finds nothing. A queue in which other things wait as well is believed to hold our
-- messages, too: those are then sent again by `dispatch`.
create or replace function partywall.resend_lost(
    from_queue text, known_tasks text[], at_broker integer, lost_after interval, batch_limit integer
)
returns table (tenant_id uuid, tenant_slug text, job_id uuid, task_name text, queue text, nonce uuid)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return query
        with unclaimed as (
            select jobs.dispatch_nonce
            from partywall.jobs as jobs
            inner join partywall.tenants as tenants on jobs.tenant_id = tenants.id
            where jobs.state = 'dispatched'
              and jobs.queue = from_queue
              and (known_tasks is null or jobs.task_name = any(known_tasks))
              and (tenants.status = 'active' or (tenants.status = 'deleting' and jobs.runs_for_deleted))
            group by jobs.dispatch_nonce
            order by max(jobs.dispatched_at) desc, jobs.dispatch_nonce
            offset at_broker
        ),
        lost as materialized (
            select jobs.tenant_id, jobs.id
            from partywall.jobs as jobs
            inner join unclaimed on jobs.dispatch_nonce = unclaimed.dispatch_nonce
            where jobs.state = 'dispatched'
              and jobs.dispatched_at <= now() - lost_after * (2 ^ least(jobs.sends - 1, 7))
            order by jobs.dispatched_at, jobs.id
            limit batch_limit
            for update of jobs skip locked
        )
        select again.*
        from (select array_agg(lost.tenant_id) as tenants, array_agg(lost.id) as jobs from lost) as found
        cross join lateral partywall_private.send_again(found.tenants, found.jobs) as again;
end
$$;

grant execute on function partywall.resend_lost(text, text[], integer, interval, integer) to partywall_dispatcher;

comment on function partywall.resend_lost(text, text[], integer, interval, integer) is
'partywall: allow definer-executable, the dispatcher sends all tenants'' jobs again; it gets to see ids, not payloads';
