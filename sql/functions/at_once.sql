-- How a change of what a tenant may have takes effect on what is on its way already.

-- Keeps every dispatcher out until this transaction ends: what a tenant has in flight can only grow in dispatch(), so
-- that whoever counts first and dispatches then exceeds no limit, and whoever changes one knows that nothing is being
-- dispatched by the old one.
create or replace function partywall_private.hold_dispatch()
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    -- A row that no lane is named by, for all to lock; lanes come and go, and the first two could come at once.
    insert into partywall_private.lanes (lane, queues, led_at) values ('', '{}', '-infinity')
    on conflict on constraint lanes_pkey do nothing;
    perform from partywall_private.lanes as lanes where lanes.lane = '' for update;
end
$$;

-- Lets tenants that wait for their rate be looked at by the next dispatch: it may be another, or what was taken for a
-- start was given back. It waits for no dispatch that has one of them at this moment; that one looks again in time.
create or replace function partywall_private.look_again(tenants uuid[])
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
    with held as materialized (
        select turns.lane, turns.tenant_id
        from partywall_private.turns as turns
        where turns.not_before > now()
          and turns.tenant_id = any(look_again.tenants)
        for no key update skip locked
    )
    update partywall_private.turns as turns
    set not_before = now()
    from held
    where turns.lane = held.lane
      and turns.tenant_id = held.tenant_id
$$;

-- Lets the dispatcher look at the tenant anew, whatever it waited for, and lets what no worker has begun wait here
-- again: it was dispatched by limits that hold no more. Null is nobody.
create or replace function partywall_private.act_at_once(tenant uuid)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    if act_at_once.tenant is not null then
        perform partywall_private.hold_dispatch();
        perform partywall_private.undo_dispatches_of(act_at_once.tenant);
        perform partywall_private.look_again(array[act_at_once.tenant]);
        perform partywall_private.announce(act_at_once.tenant);
    end if;
end
$$;

-- Returns who changes something: as the operator says, or as the database knows them.
create or replace function partywall_private.changer(says text)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    select left(coalesce(nullif(changer.says, ''), 'operator/' || session_user), 255)
$$;
