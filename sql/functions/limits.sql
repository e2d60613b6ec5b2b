-- What each tenant may have at once. Whoever changes a limit changes it for the backlog too: every dispatch reads them.

-- Returns when the tenant may enqueue so many jobs more. Raises PW017 when its queue is full, PW018 when it is drained.
-- A limit of jobs that wait is exact for transactions of the API, which are short and come one after another here. A
-- body does not hold up others until it ends: what bodies enqueue at the same moment may exceed it.
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

    if limits.flow = 'draining' then
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

-- Returns the limits of a tenant, as they are in effect and as they were set; nulls in `own` are those of its tier.
create or replace function partywall.tenant_limits(slug text)
returns table (
    tenant_id uuid, tier text, flow text, flow_reason text, flow_by text, flow_at timestamptz, effective jsonb,
    own jsonb, running_limits jsonb, changed_by text, changed_at timestamptz
)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
    select
        effective.tenant_id, effective.tier, effective.flow, own.flow_reason, own.flow_by, own.flow_at,
        jsonb_build_object(
            'weight', effective.weight, 'max_running', effective.max_running, 'rate', effective.rate,
            'burst', case when effective.rate is not null then effective.burst end, 'max_queued', effective.max_queued
        ),
        jsonb_build_object(
            'weight', own.weight, 'max_running', own.max_running, 'rate', own.rate, 'burst', own.burst,
            'max_queued', own.max_queued
        ),
        coalesce(
            (
                select jsonb_agg(
                    jsonb_build_object(
                        'kind', single.kind, 'name', single.name, 'max_running', single.max_running,
                        'changed_by', single.changed_by, 'changed_at', single.changed_at
                    ) order by single.kind, single.name
                )
                from partywall.running_limits as single
                where single.tenant_id = effective.tenant_id
            ),
            '[]'
        ),
        own.changed_by, own.changed_at
    from partywall_private.effective_limits as effective
    left join partywall.tenant_limits as own on effective.tenant_id = own.tenant_id
    where effective.slug = tenant_limits.slug
$$;

-- Returns the id of the tenant and makes sure that it has a row of its own; null when no tenant has that slug.
create or replace function partywall_private.limits_row(slug text)
returns uuid
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    tenant record;
begin
    select * into tenant from partywall_private.lock_tenant(limits_row.slug);
    if tenant.id is not null then
        insert into partywall.tenant_limits (tenant_id) values (tenant.id) on conflict (tenant_id) do nothing;
    end if;
    return tenant.id;
end
$$;

-- Returns when these are names of limits. Raises PW019.
create or replace function partywall_private.require_limits(changes jsonb)
returns void
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
    unknown text;
begin
    select string_agg(names.name, ', ') into unknown
    from jsonb_object_keys(require_limits.changes) as names (name)
    where names.name not in ('weight', 'max_running', 'rate', 'burst', 'max_queued');
    if unknown is not null then
        raise exception 'there is no limit named %', unknown using
            errcode = 'PW019',
            hint = 'There are weight, max_running, rate, burst and max_queued.';
    end if;
end
$$;

-- Sets the limits that `changes` names, of weight, max_running, rate, burst, max_queued; null goes back to the tier's.
-- Returns the tenant's id, null when no tenant has that slug. Raises PW006, PW019 when a name or number is no limit.
create or replace function partywall.set_limits(slug text, changes jsonb, changed_by text)
returns uuid
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    tenant uuid := partywall_private.limits_row(set_limits.slug);
begin
    perform partywall_private.require_limits(set_limits.changes);

    update partywall.tenant_limits as limits
    set (weight, max_running, rate, burst, max_queued) = (
            select changed.weight, changed.max_running, changed.rate, changed.burst, changed.max_queued
            from jsonb_populate_record(limits, set_limits.changes) as changed
        ),
        changed_by = set_limits.changed_by,
        changed_at = now()
    where limits.tenant_id = tenant;
    perform partywall_private.wake(tenant);
    return tenant;
exception when check_violation or numeric_value_out_of_range or invalid_text_representation then
    raise exception 'that is no limit: %', set_limits.changes using
        errcode = 'PW019',
        hint = 'weight is 0.001 to 1000, rate is jobs a second above 0, the others are whole numbers from 1;'
        ' null goes back to the tier''s. To start nothing at all, pause the tenant.';
end
$$;

-- Lets at most `max_running` jobs of one task, or on one queue, run at a time; null takes the limit away. Returns the
-- tenant's id, null when no tenant has that slug. Raises PW006, PW019.
create or replace function partywall.set_running_limit(
    slug text, kind text, name text, max_running integer, changed_by text
)
returns uuid
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    tenant uuid := partywall_private.limits_row(set_running_limit.slug);
begin
    if tenant is null then
        return null;
    elsif set_running_limit.max_running is null then
        delete from partywall.running_limits as limits
        where limits.tenant_id = tenant
          and limits.kind = set_running_limit.kind
          and limits.name = set_running_limit.name;
    else
        insert into partywall.running_limits (tenant_id, kind, name, max_running, changed_by)
        values (
            tenant, set_running_limit.kind, set_running_limit.name, set_running_limit.max_running,
            set_running_limit.changed_by
        )
        on conflict on constraint running_limits_pkey do update
        set max_running = excluded.max_running,
            changed_by = excluded.changed_by,
            changed_at = now();
    end if;
    perform partywall_private.wake(tenant);
    return tenant;
exception when check_violation then
    raise exception 'that is no limit: % of % %', max_running, kind, name using
        errcode = 'PW019', hint = 'A limit is for a task or a queue, and a whole number from 1.';
end
$$;

-- Opens, pauses or drains. Paused: nothing of the tenant starts, what it enqueues waits. Draining: nothing is accepted,
-- what waits still runs. What runs goes on either way. Returns the tenant's id, null when no tenant has that slug.
-- Raises PW006.
create or replace function partywall.set_flow(slug text, flow text, reason text, changed_by text)
returns uuid
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    tenant uuid := partywall_private.limits_row(set_flow.slug);
begin
    update partywall.tenant_limits as limits
    set flow = set_flow.flow,
        flow_reason = left(set_flow.reason, 500),
        flow_by = set_flow.changed_by,
        flow_at = now()
    where limits.tenant_id = tenant
      and (limits.flow, limits.flow_reason) is distinct from (set_flow.flow, left(set_flow.reason, 500));

    if set_flow.flow = 'paused' then
        -- What a worker has not begun waits here again.
        perform partywall_private.undo_dispatches_of(tenant);
    end if;
    perform partywall_private.wake(tenant);
    return tenant;
end
$$;

-- Lets the dispatcher look at the tenant anew, whatever it waited for.
create or replace function partywall_private.wake(tenant uuid)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    if wake.tenant is not null then
        perform partywall_private.announce(wake.tenant);
    end if;
end
$$;

-- Makes a tier, or changes the limits that `changes` names for every tenant that has it. Raises PW019.
create or replace function partywall.set_tier(name text, changes jsonb, changed_by text)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform partywall_private.require_limits(set_tier.changes);

    insert into partywall.tiers (name) values (set_tier.name) on conflict on constraint tiers_pkey do nothing;
    update partywall.tiers as tiers
    set (weight, max_running, rate, burst, max_queued) = (
            select coalesce(changed.weight, 1), changed.max_running, changed.rate, changed.burst, changed.max_queued
            from jsonb_populate_record(tiers, set_tier.changes) as changed
        ),
        changed_by = set_tier.changed_by,
        changed_at = now()
    where tiers.name = set_tier.name;
    perform partywall_private.announce(null);
exception when check_violation or numeric_value_out_of_range or invalid_text_representation then
    raise exception 'that is no limit: % of tier %', set_tier.changes, set_tier.name using
        errcode = 'PW019',
        hint = 'weight is 0.001 to 1000, rate is jobs a second above 0, the others are whole numbers from 1.'
        ' A tier is named like a host: small letters, digits, hyphens.';
end
$$;

-- Gives the tenant another tier. Returns its id, null when no tenant has that slug. Raises PW006, PW019: no such tier.
create or replace function partywall.set_tenant_tier(slug text, tier text, changed_by text)
returns uuid
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    tenant uuid := partywall_private.limits_row(set_tenant_tier.slug);
begin
    update partywall.tenants as tenants set tier = set_tenant_tier.tier where tenants.id = tenant;
    update partywall.tenant_limits as limits
    set changed_by = set_tenant_tier.changed_by,
        changed_at = now()
    where limits.tenant_id = tenant;
    perform partywall_private.wake(tenant);
    return tenant;
exception when foreign_key_violation then
    raise exception 'there is no tier "%"', set_tenant_tier.tier using
        errcode = 'PW019', hint = 'Make it first: partywall tiers set NAME.';
end
$$;

grant execute on function
partywall.tenant_limits(text),
partywall.set_limits(text, jsonb, text),
partywall.set_running_limit(text, text, text, integer, text),
partywall.set_flow(text, text, text, text),
partywall.set_tier(text, jsonb, text),
partywall.set_tenant_tier(text, text, text)
to partywall_operator;

comment on function partywall.tenant_limits(text) is
'partywall: allow definer-executable, the operator sees what each tenant may have';
comment on function partywall.set_limits(text, jsonb, text) is
'partywall: allow definer-executable, the operator limits tenants';
comment on function partywall.set_running_limit(text, text, text, integer, text) is
'partywall: allow definer-executable, the operator limits tenants';
comment on function partywall.set_flow(text, text, text, text) is
'partywall: allow definer-executable, the operator pauses and drains tenants';
comment on function partywall.set_tier(text, jsonb, text) is
'partywall: allow definer-executable, the operator sets the defaults of tenants';
comment on function partywall.set_tenant_tier(text, text, text) is
'partywall: allow definer-executable, the operator sets the defaults of tenants';
