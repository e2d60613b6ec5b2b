-- Whether anything of a tenant is accepted, and whether anything of it starts.

-- Returns when the tenant may enqueue so many jobs more. Raises PW017 when its queue is full, PW018 when it is drained.
-- A limit of jobs that wait is exact for transactions of the API, which are short and come one after another here. A
-- body does not hold up others until it ends: what bodies enqueue at the same moment may exceed it. Nor is a body
-- refused when its tenant is drained: what was accepted before may come to its end, and that is to enqueue something,
-- perhaps.
create or replace function partywall_private.require_room(tenant uuid, more integer)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    limits  record;
    waiting bigint;
begin
    select effective.flow, effective.max_queued into limits
    from partywall_private.effective_limits as effective
    where effective.tenant_id = require_room.tenant;

    if limits.flow = 'draining' and not pg_has_role(session_user, 'partywall_worker', 'usage') then
        raise exception 'the tenant is being drained: nothing is accepted any more' using
            errcode = 'PW018',
            hint = 'What waits still runs. An operator opens it again with: partywall tenants resume SLUG.';
    end if;
    if limits.max_queued is null then
        return;
    end if;

    if pg_has_role(session_user, 'partywall_api', 'usage') then
        perform pg_advisory_xact_lock(hashtextextended('partywall/queue/' || require_room.tenant, 0));
    end if;
    select count(*) into waiting
    from (
        select 1
        from partywall.jobs as jobs
        where jobs.tenant_id = require_room.tenant
          and jobs.state in ('scheduled', 'queued')
        limit limits.max_queued
    ) as counted;
    if waiting + require_room.more > limits.max_queued then
        raise exception 'the queue of the tenant is full: % jobs wait', waiting using
            errcode = 'PW017',
            hint = format('At most %s of its jobs may wait. Try again when some have started.', limits.max_queued);
    end if;
end
$$;

-- Opens, pauses or drains a tenant that is locked; who and when is that of the change, not of saying it once more.
create or replace function partywall_private.change_flow(tenant uuid, flow text, reason text, changed_by text)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into partywall.tenant_limits (tenant_id)
    select change_flow.tenant
    where change_flow.tenant is not null
      and change_flow.flow <> 'open'
    on conflict on constraint tenant_limits_pkey do nothing;

    update partywall.tenant_limits as limits
    set flow = change_flow.flow,
        flow_reason = change_flow.reason,
        flow_by = partywall_private.changer(change_flow.changed_by),
        flow_at = now()
    where limits.tenant_id = change_flow.tenant
      and (limits.flow, limits.flow_reason) is distinct from (change_flow.flow, change_flow.reason);
    if found then
        perform partywall_private.act_at_once(change_flow.tenant);
    end if;
exception when check_violation then
    raise exception 'a tenant cannot be "%" for that reason', change_flow.flow using
        errcode = 'PW019',
        hint = 'It is open, paused or draining, and the reason has at most 500 characters.';
end
$$;

-- Opens, pauses or drains. Paused: nothing of the tenant starts, what it enqueues waits. Draining: nothing is accepted,
-- what waits still runs. What runs goes on either way. Returns the tenant's id, null when no tenant has that slug.
-- Raises PW006, PW019.
create or replace function partywall.set_flow(slug text, flow text, reason text, changed_by text)
returns uuid
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    tenant record;
begin
    select * into tenant from partywall_private.lock_tenant(set_flow.slug);
    perform partywall_private.change_flow(tenant.id, set_flow.flow, set_flow.reason, set_flow.changed_by);
    return tenant.id;
end
$$;

grant execute on function partywall.set_flow(text, text, text, text) to partywall_operator;

comment on function partywall.set_flow(text, text, text, text) is
'partywall: allow definer-executable, the operator pauses and drains tenants';
