-- A token proves a context: pw1.<key id>.<tenant>.<subject>.<expiry>.<mac>
--   subject   who acts: job/<id>/<attempt>, call/<id>/<task>, key/<id> or operator/<login>; no dots
--   expiry    seconds since 1970
--   mac       64 hex digits: HMAC-SHA-256 of all that stands before the last dot

-- Returns the head of a token with its mac behind it; null when there is no such key, or no more.
create or replace function partywall_private.sign(head text, key_id text)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    select head || '.' || encode(
        sha256(keys.outer_pad || sha256(keys.inner_pad || convert_to(head, 'UTF8'))), 'hex'
    )
    from partywall_private.signing_keys as keys
    where keys.id::text = key_id
      and keys.retired_at is null
$$;

-- Returns a token for the tenant. Reached only through functions that first establish the right to it.
create or replace function partywall_private.mint(tenant uuid, subject text, lifetime interval)
returns text
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    key_id integer;
begin
    select id into strict key_id
    from partywall_private.signing_keys
    where retired_at is null
    order by id desc
    limit 1;

    return partywall_private.sign(
        format(
            'pw1.%s.%s.%s.%s', key_id, tenant, subject, ceil(extract(epoch from clock_timestamp() + lifetime))::bigint
        ),
        key_id::text
    );
end
$$;

-- Returns the tenant that a token proves, or raises PW002 (not ours) or PW003 (expired). Every policy asks once a
-- query, so every expression counts: plpgsql prepares each anew in each transaction. Measured by `make bench-context`.
-- The refused token is never part of the message: messages end in logs.
create or replace function partywall_private.proven_tenant_id(token text)
returns uuid
language plpgsql
stable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    inner_pad bytea;
    outer_pad bytea;
begin
    -- Compared as text: an id that is no number finds no key, where a cast would fail with an error of its own.
    select keys.inner_pad, keys.outer_pad into inner_pad, outer_pad
    from partywall_private.signing_keys as keys
    where keys.id::text = split_part(token, '.', 2) and keys.retired_at is null;

    -- The mac is over all that stands before its dot, so no part needs a look of its own before this. Comparing digests
    -- of both sides makes the time it takes say nothing about the mac. Without a key the comparison is null.
    if (
        sha256(convert_to(encode(
            sha256(outer_pad || sha256(inner_pad || convert_to(left(token, -65), 'UTF8'))), 'hex'
        ), 'UTF8'))
        = sha256(convert_to(split_part(token, '.', 6), 'UTF8'))
    ) is not true then
        raise exception 'the tenant token was refused' using
            errcode = 'PW002',
            hint = 'Only the database mints tokens: take one from claim(), authenticate() or open_tenant().';
    end if;

    if to_timestamp(split_part(token, '.', 5)::bigint) <= statement_timestamp() then
        raise exception 'the tenant token has expired' using
            errcode = 'PW003',
            hint = 'Ask for a new one: a token lives as long as its attempt or its request.';
    end if;

    return split_part(token, '.', 3)::uuid;
end
$$;

-- Returns what a token proves, or raises as proven_tenant_id() does.
create or replace function partywall_private.verify(token text, out tenant_id uuid, out subject text)
language plpgsql
stable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    tenant_id := partywall_private.proven_tenant_id(token);
    subject := split_part(token, '.', 4);
end
$$;
