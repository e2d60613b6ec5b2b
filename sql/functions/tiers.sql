-- Named defaults of limits.

-- Makes a tier, or changes the limits that `changes` names for every tenant that has it; null is no limit, and the
-- weight 1. Raises PW019.
create or replace function partywall.set_tier(name text, changes jsonb, changed_by text)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    broken text;
begin
    perform partywall_private.require_limits(set_tier.changes);

    insert into partywall.tiers (name) values (set_tier.name) on conflict on constraint tiers_pkey do nothing;
    update partywall.tiers as tiers
    set (weight, max_running, rate, burst, max_queued) = (
            select coalesce(changed.weight, 1), changed.max_running, changed.rate, changed.burst, changed.max_queued
            from jsonb_populate_record(tiers, set_tier.changes) as changed
        ),
        changed_by = partywall_private.changer(set_tier.changed_by),
        changed_at = now()
    where tiers.name = set_tier.name;

    perform partywall_private.hold_dispatch();
    perform partywall.undo_dispatch(array(
        select jobs.dispatch_nonce
        from partywall.jobs as jobs
        inner join partywall.tenants as tenants on jobs.tenant_id = tenants.id
        where jobs.state = 'dispatched'
          and tenants.tier = set_tier.name
    ));
    perform partywall_private.look_again(array(
        select tenants.id from partywall.tenants as tenants where tenants.tier = set_tier.name
    ));
    perform partywall_private.announce(null);
exception when check_violation or numeric_value_out_of_range or invalid_text_representation then
    get stacked diagnostics broken = constraint_name;
    if broken = 'tiers_names_are_short' then
        raise exception 'no tier can be named "%"', set_tier.name using
            errcode = 'PW019',
            hint = 'A name is 1 to 63 of a-z, 0-9, - and _, with a letter or digit first and last.';
    end if;
    perform partywall_private.raise_no_limit(set_tier.changes, broken);
end
$$;

-- Raises PW019: there is no such tier.
create or replace function partywall_private.raise_no_tier(tier text)
returns void
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception 'there is no tier "%"', raise_no_tier.tier using
        errcode = 'PW019',
        hint = 'partywall tiers list shows those there are; partywall tiers set NAME makes one.';
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
    tenant uuid := partywall_private.changed_limits(set_tenant_tier.slug, array['tier'], set_tenant_tier.changed_by);
begin
    update partywall.tenants as tenants set tier = set_tenant_tier.tier where tenants.id = tenant;
    perform partywall_private.act_at_once(tenant);
    return tenant;
exception when foreign_key_violation then
    perform partywall_private.raise_no_tier(set_tenant_tier.tier);
end
$$;

grant execute on function
partywall.set_tier(text, jsonb, text),
partywall.set_tenant_tier(text, text, text)
to partywall_operator;

comment on function partywall.set_tier(text, jsonb, text) is
'partywall: allow definer-executable, the operator sets the defaults of tenants';
comment on function partywall.set_tenant_tier(text, text, text) is
'partywall: allow definer-executable, the operator sets the defaults of tenants';
