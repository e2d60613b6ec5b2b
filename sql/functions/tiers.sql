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
    perform partywall_private.announce(null);
exception when check_violation or numeric_value_out_of_range or invalid_text_representation then
    raise exception 'that is no tier: "%" with %', set_tier.name, set_tier.changes using
        errcode = 'PW019',
        hint = 'A tier is named with small letters, digits, - and _, at most 63. Its weight is 0.001 to 1000, its rate'
        ' jobs a second, above 0 and at most 1000000; a burst needs a rate; the others are whole numbers from 1.';
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
    tenant uuid := partywall_private.changed_limits(set_tenant_tier.slug, set_tenant_tier.changed_by);
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
