-- Accepts one job of the task for every active tenant that is not being drained, at most once per schedule and moment
-- however often it is called. The payload is always empty: whoever may call this can start what was declared, not say
-- what. Returns how many jobs are new.
create or replace function partywall.fan_out(
    schedule text, moment timestamptz, task_name text, queue text, max_attempts integer
)
returns integer
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    accepted integer;
begin
    insert into partywall.jobs (
        tenant_id, task_name, queue, state, max_attempts, run_at, payload, idempotency_key
    )
    select
        tenants.id, fan_out.task_name, fan_out.queue, 'queued', fan_out.max_attempts, now(), '{}',
        format('schedule/%s/%s', schedule, to_char(moment at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
    from partywall.tenants as tenants
    left join partywall.tenant_limits as limits on tenants.id = limits.tenant_id
    where tenants.status = 'active'
      and limits.flow is distinct from 'draining'
    order by tenants.id
    on conflict (tenant_id, idempotency_key) where idempotency_key is not null do nothing;

    get diagnostics accepted = row_count;
    if accepted > 0 then
        perform partywall_private.announce(null);
    end if;
    return accepted;
end
$$;

grant execute on function partywall.fan_out(text, timestamptz, text, text, integer) to partywall_scheduler;

comment on function partywall.fan_out(text, timestamptz, text, text, integer) is
'partywall: allow definer-executable, the scheduler starts what was declared for all, with no payload';
