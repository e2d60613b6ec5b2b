-- A UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, 12 bits of 4096ths of one, then random bits. PostgreSQL 18 has its
-- own; this one serves 15 to 17 as well. Ids of one session ascend, but for those of the same microsecond.
create or replace function partywall.uuid7()
returns uuid
language sql
volatile
parallel safe
begin atomic
-- One expression, so that it becomes a part of the statement that calls it.
select
    (
        overlay(
            lpad(to_hex(floor(extract(epoch from clock_timestamp()) * 4096000)::bigint), 15, '0')
            -- The version stands between the milliseconds and the rest.
            placing '7' from 13 for 0
        )
        || right(gen_random_uuid()::text, 17)
    )::uuid;
end;

grant execute on function partywall.uuid7() to public;
