-- A token proves a context: pw1.<key id>.<tenant>.<subject>.<expiry>.<mac>
--   subject   who acts: job/<id>/<attempt>, key/<id> or operator/<login>; no dots
--   expiry    seconds since 1970
--   mac       64 hex digits: HMAC-SHA-256 of all that stands before the last dot

-- Returns a token for the tenant. Reached only through functions that first establish the right to it.
create or replace function partywall_private.mint(tenant uuid, subject text, lifetime interval)
returns text
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    key  partywall_private.signing_keys;
    head text;
begin
    select * into strict key
    from partywall_private.signing_keys
    where retired_at is null
    order by id desc
    limit 1;

    head := format(
        'pw1.%s.%s.%s.%s', key.id, tenant, subject, ceil(extract(epoch from clock_timestamp() + lifetime))::bigint
    );
    return head || '.' || encode(
        sha256(key.outer_pad || sha256(key.inner_pad || convert_to(head, 'UTF8'))), 'hex'
    );
end
$$;

-- Returns what a token proves, or raises PW002 (not ours) or PW003 (expired).
-- The refused token is never part of the message: messages end in logs.
create or replace function partywall_private.verify(token text, out tenant_id uuid, out subject text)
language plpgsql
stable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    parts  text[] := string_to_array(token, '.');
    key    partywall_private.signing_keys;
    signed bytea;
begin
    if cardinality(parts) = 6 and parts[1] = 'pw1' and parts[2] ~ '^[0-9]{1,9}$' then
        select * into key
        from partywall_private.signing_keys as keys
        where keys.id = parts[2]::integer and keys.retired_at is null;
    end if;

    if key.id is not null then
        signed := sha256(key.outer_pad || sha256(key.inner_pad || convert_to(left(token, -65), 'UTF8')));
    end if;

    -- Comparing digests of both sides makes the time it takes say nothing about the mac.
    if signed is null or sha256(convert_to(encode(signed, 'hex'), 'UTF8')) <> sha256(convert_to(parts[6], 'UTF8')) then
        raise exception 'the tenant token was refused' using
            errcode = 'PW002',
            hint = 'Only the database mints tokens: take one from claim(), authenticate() or open_tenant().';
    end if;

    if parts[5]::bigint <= extract(epoch from statement_timestamp()) then
        raise exception 'the tenant token has expired' using
            errcode = 'PW003',
            hint = 'Ask for a new one: a token lives as long as its attempt or its request.';
    end if;

    tenant_id := parts[3]::uuid;
    subject := parts[4];
end
$$;
