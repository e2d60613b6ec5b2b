-- Whether anything of a tenant is accepted, and whether anything of it starts.

-- Returns how many jobs more of a tenant may wait where no more than `max_queued` may; null where any number may.
create or replace function partywall_private.room_of(tenant uuid, max_queued integer)
returns integer
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    select room_of.max_queued - counted.jobs
    from (
        select count(*)::integer as jobs
        from (
            select 1
            from partywall.jobs as jobs
            where jobs.tenant_id = room_of.tenant
              and jobs.state in ('scheduled', 'queued')
              and room_of.max_queued is not null
            limit room_of.max_queued
        ) as waiting
    ) as counted
$$;

-- Returns when the tenant may enqueue so many jobs more. Raises PW017 when its queue is full, PW018 when it is drained,
-- and PW022 when they, with what this transaction has accepted before, would not fit into an empty queue either.
--
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
    limits    record;
    room      integer;
    together  bigint;
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
    room := partywall_private.room_of(require_room.tenant, limits.max_queued);
    if require_room.more <= room then
        return;
    end if;

    -- A batch comes in parts, each job with a key by itself. All its jobs were created at the same moment: now().
    together := require_room.more;
    if pg_current_xact_id_if_assigned() is not null then
        select together + count(*) into together
        from partywall.jobs as jobs
        where jobs.tenant_id = require_room.tenant
          and jobs.state in ('scheduled', 'queued')
          and jobs.created_at = now();
    end if;
    if together > limits.max_queued then
        raise exception '% jobs are more than the % that may wait at a time', together, limits.max_queued using
            errcode = 'PW022',
            hint = format('Send at most %s at a time, and the others when these have started.', limits.max_queued);
    end if;
    raise exception 'the queue of the tenant is full: % jobs wait', limits.max_queued - room using
        errcode = 'PW017',
        hint = format('At most %s of its jobs may wait. Try again when some have started.', limits.max_queued);
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
