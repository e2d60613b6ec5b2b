-- Keys are born in the database and never leave it. The newest one signs; every one that is not
-- retired verifies, so a rotation interrupts nobody.

-- Makes a new signing key and returns its id. Tokens signed before stay valid until they expire.
create or replace function partywall.rotate_signing_key()
returns integer
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    key       bytea;
    inner_pad bytea := decode(repeat('36', 64), 'hex');
    outer_pad bytea := decode(repeat('5c', 64), 'hex');
    new_id    integer;
begin
    -- Two UUIDs carry 244 random bits from pg_strong_random(); sha256 spreads them over 32 bytes.
    key := sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));
    for i in 0..31 loop
        inner_pad := set_byte(inner_pad, i, get_byte(inner_pad, i) # get_byte(key, i));
        outer_pad := set_byte(outer_pad, i, get_byte(outer_pad, i) # get_byte(key, i));
    end loop;

    insert into partywall_private.signing_keys (inner_pad, outer_pad)
    values (inner_pad, outer_pad)
    returning id into new_id;
    return new_id;
end
$$;

-- Retires a key: every token it signed is refused from now on. The newest key cannot be retired.
create or replace function partywall.retire_signing_key(key_id integer)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    update partywall_private.signing_keys as keys
    set retired_at = now()
    where
        keys.id = key_id
        and keys.retired_at is null
        and keys.id < (select max(newest.id) from partywall_private.signing_keys as newest);

    if not found then
        raise exception 'signing key % cannot be retired', key_id using
            errcode = 'PW011',
            hint = 'It is the newest, already retired, or unknown. Rotate first, then retire the old one.';
    end if;
end
$$;

grant execute on function partywall.rotate_signing_key() to partywall_operator;
grant execute on function partywall.retire_signing_key(integer) to partywall_operator;

comment on function partywall.rotate_signing_key() is
'partywall: allow definer-executable, it shows the number of a new key, never a key';
comment on function partywall.retire_signing_key(integer) is
'partywall: allow definer-executable, the operator retires keys; it shows none';
