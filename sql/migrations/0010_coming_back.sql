-- What a tenant had while nobody else wanted it is no debt, and who comes back overtakes what others have sent.
-- Docs: docs/explanation/fair-order.md.

-- The furthest virtual time that a tenant of the lane has had.
alter table partywall_private.lanes add column furthest float8 not null default 0;
update partywall_private.lanes as lanes
set furthest = coalesce(
    (
        select max(turns.virtual_time)
        from partywall_private.turns as turns
        where turns.lane = lanes.lane
    ),
    0
);

-- In the order again, owing nothing, and not served since.
alter table partywall_private.turns add column is_new boolean not null default false;

-- Which tasks a process knows; null is all. As with its queues, nobody may fill the disk with them.
alter table partywall_private.workers
add column tasks text[],
add constraint workers_tasks_are_few check (octet_length(tasks::text) <= 200000);

-- Their successors take other arguments. With both there, a call could not be told apart.
drop function if exists partywall.dispatch(
    text[], text[], text[], integer, integer, interval, integer, float8, integer, float8
);
drop function if exists partywall_private.next_jobs(
    text, float8, text[], text[], integer, integer, float8, integer, float8
);
drop function if exists partywall_private.eligible_turns(text, float8, integer, integer);
drop function if exists partywall_private.settle(text, float8);
drop function if exists partywall_private.set_aside(text, float8, float8);
drop function if exists partywall_private.require_items(jsonb);
