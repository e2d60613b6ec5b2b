-- What each tenant may have at once. Whoever changes a limit changes it for the backlog too: every dispatch reads them.

-- Returns the limits of one tenant, as they are in effect and as they were set for it alone; nulls in `own` are its
-- tier's.
create or replace function partywall_private.limits_of(tenant uuid)
returns table (
    tenant_id uuid, tier text, flow text, flow_reason text, flow_by text, flow_at timestamptz, effective jsonb,
    own jsonb, running_limits jsonb, changes jsonb
)
language sql
stable
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
                        'kind', single.kind, 'name', single.name, 'max_running', single.max_running
                    ) order by single.kind, single.name
                )
                from partywall.running_limits as single
                where single.tenant_id = effective.tenant_id
            ),
            '[]'
        ),
        coalesce(own.changes, '{}')
    from partywall_private.effective_limits as effective
    left join partywall.tenant_limits as own on effective.tenant_id = own.tenant_id
    where effective.tenant_id = limits_of.tenant
$$;

-- Returns the limits of any tenant, and who changed them; no row when no tenant has that slug.
create or replace function partywall.tenant_limits(slug text)
returns table (
    tenant_id uuid, tier text, flow text, flow_reason text, flow_by text, flow_at timestamptz, effective jsonb,
    own jsonb, running_limits jsonb, changes jsonb
)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
    select found.*
    from partywall.tenants as tenants
    cross join lateral partywall_private.limits_of(tenants.id) as found
    where tenants.slug = tenant_limits.slug
$$;

-- Returns the limits of this transaction's tenant; who set them and why is the operator's. Raises PW001.
create or replace function partywall.own_limits()
returns table (tier text, flow text, flow_at timestamptz, effective jsonb, running_limits jsonb)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
    select found.tier, found.flow, found.flow_at, found.effective, found.running_limits
    from partywall_private.limits_of(partywall.current_tenant_id()) as found
$$;

-- Puts back what jobs took of the tenant's rate that were dispatched and not started, if it has one. Nothing is lost
-- where more comes together than a burst: whoever looks into the bucket counts no more than that.
--
-- It is locked until the transaction ends, and every dispatch that serves the tenant waits for it. So it waits for
-- nothing itself: where a dispatch has the bucket at this moment, the tokens are gone, and time brings others.
create or replace function partywall_private.give_token_back(tenant uuid, count integer)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    with held as materialized (
        select buckets.tenant_id
        from partywall_private.buckets as buckets
        where buckets.tenant_id = give_token_back.tenant
          and give_token_back.count > 0
        for no key update skip locked
    )
    update partywall_private.buckets as buckets
    set tokens = buckets.tokens + give_token_back.count
    from held
    where buckets.tenant_id = held.tenant_id;

    if found then
        perform partywall_private.look_again(array[give_token_back.tenant]);
        perform partywall_private.announce(give_token_back.tenant);
    end if;
end
$$;

-- Locks the tenant and notes who changes these limits of it, and when. Returns its id, null when no tenant has that
-- slug. Raises PW006.
create or replace function partywall_private.changed_limits(slug text, names text[], changed_by text)
returns uuid
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    tenant record;
    change constant jsonb := jsonb_build_object(
        'changed_by', partywall_private.changer(changed_limits.changed_by), 'changed_at', now()
    );
begin
    select * into tenant from partywall_private.lock_tenant(changed_limits.slug);

    insert into partywall.tenant_limits as limits (tenant_id, changes)
    select tenant.id, coalesce((select jsonb_object_agg(each.name, change) from unnest(names) as each (name)), '{}')
    where tenant.id is not null
    on conflict on constraint tenant_limits_pkey do update
    set changes = limits.changes || excluded.changes;
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

-- Raises PW019 for what a constraint of limits refused, or was no number.
create or replace function partywall_private.raise_no_limit(changes jsonb, broken text)
returns void
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception 'that is no limit: %', raise_no_limit.changes using
        errcode = 'PW019',
        hint = case
            when broken like '%\_weight\_is\_positive' then 'A weight is 0.001 to 1000.'
            when broken like '%\_rate\_is\_a\_number' then 'A rate is jobs a second: above 0, at most 1000000.'
            when broken like '%\_burst\_has\_a\_rate' then 'A burst of a tier needs a rate.'
            else 'It is a whole number from 1. To start nothing at all, pause the tenant.'
        end;
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
    tenant uuid;
    broken text;
begin
    perform partywall_private.require_limits(set_limits.changes);
    tenant := partywall_private.changed_limits(
        set_limits.slug, array(select jsonb_object_keys(set_limits.changes)), set_limits.changed_by
    );

    update partywall.tenant_limits as limits
    set (weight, max_running, rate, burst, max_queued) = (
            select changed.weight, changed.max_running, changed.rate, changed.burst, changed.max_queued
            from jsonb_populate_record(limits, set_limits.changes) as changed
        )
    where limits.tenant_id = tenant;
    perform partywall_private.act_at_once(tenant);
    return tenant;
exception when check_violation or numeric_value_out_of_range or invalid_text_representation then
    get stacked diagnostics broken = constraint_name;
    perform partywall_private.raise_no_limit(set_limits.changes, broken);
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
    tenant uuid := partywall_private.changed_limits(
        set_running_limit.slug, array[format('%s:%s', kind, name)], set_running_limit.changed_by
    );
begin
    if tenant is null then
        return null;
    elsif set_running_limit.max_running is null then
        delete from partywall.running_limits as limits
        where limits.tenant_id = tenant
          and limits.kind = set_running_limit.kind
          and limits.name = set_running_limit.name;
    else
        insert into partywall.running_limits (tenant_id, kind, name, max_running)
        values (
            tenant, set_running_limit.kind, set_running_limit.name, set_running_limit.max_running
        )
        on conflict on constraint running_limits_pkey do update set max_running = excluded.max_running;
    end if;
    perform partywall_private.act_at_once(tenant);
    return tenant;
exception when check_violation then
    raise exception 'that is no limit: % of % "%"', max_running, kind, name using
        errcode = 'PW019',
        hint = 'A limit is for a task or a queue, named with 1 to 255 characters, and a whole number from 1.';
end
$$;

grant execute on function
partywall.tenant_limits(text),
partywall.set_limits(text, jsonb, text),
partywall.set_running_limit(text, text, text, integer, text)
to partywall_operator;
grant execute on function partywall.own_limits() to partywall_api;

comment on function partywall.tenant_limits(text) is
'partywall: allow definer-executable, the operator sees what each tenant may have';
comment on function partywall.own_limits() is
'partywall: allow definer-executable, it shows the limits of the tenant of the transaction only';
comment on function partywall.set_limits(text, jsonb, text) is
'partywall: allow definer-executable, the operator limits tenants';
comment on function partywall.set_running_limit(text, text, text, integer, text) is
'partywall: allow definer-executable, the operator limits tenants';
