-- A UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, then random bits. PostgreSQL 18 has its own;
-- this one serves 15 to 17 as well. Ids of the same millisecond come in no particular order.
create or replace function partywall.uuid7()
returns uuid
language sql
volatile
parallel safe
begin atomic
select
    encode(
        set_bit(
            set_bit(
                overlay(
                    uuid_send(gen_random_uuid()),
                    substring(int8send(floor(extract(epoch from clock_timestamp()) * 1000)::bigint), 3),
                    1,
                    6
                ),
                -- The version nibble of gen_random_uuid() is 4 (0100); 7 is 0111.
                52, 1
            ),
            53, 1
        ),
        'hex'
    )::uuid;
end;

grant execute on function partywall.uuid7() to public;
