-- Which dispatcher leads, and until when: one row, written twice a second.

create table partywall_private.leader (
    is_only_one boolean not null default true,
    holder      uuid not null,
    expires_at  timestamptz not null,
    primary key (is_only_one),
    constraint leader_is_only_one check (is_only_one)
)
-- Its versions replace each other within their page, and no index has to be told.
with (fillfactor = 50);
