-- What a tenant had while nobody else wanted it is no debt. Docs: docs/explanation/fair-order.md.

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

-- Its successor takes another argument. With both there, a call could not be told apart.
drop function if exists partywall_private.settle(text, float8);
