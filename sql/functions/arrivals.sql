-- Telling the dispatcher which tenant has something to start. Every session may listen, a body's too, so a notification
-- may not carry even an id: it carries one that only the owner of these functions can read. To everybody else it is the
-- news that some transaction accepted something, and no two are alike.

-- Returns what to XOR an id with, for a nonce of 32 hex digits.
create or replace function partywall_private.arrival_mask(nonce text)
returns bit(128)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    select ('x' || left(encode(sha256(keys.key || convert_to(arrival_mask.nonce, 'UTF8')), 'hex'), 32))::bit(128)
    from partywall_private.arrival_key as keys
$$;

-- Tells the dispatcher of the tenant when this transaction commits; nothing is told twice. With null: look everywhere.
create or replace function partywall_private.announce(tenant uuid)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    nonce  text;
    hidden bit(128);
begin
    if tenant is null then
        perform pg_notify('partywall_jobs', '');
        return;
    end if;
    -- The same in one transaction, so that PostgreSQL drops what was said before; the mask makes it unforeseeable.
    nonce := left(encode(sha256(convert_to(
        format('%s/%s/%s', pg_current_xact_id(), tenant, partywall_private.arrival_mask('nonce')), 'UTF8'
    )), 'hex'), 32);
    hidden := ('x' || replace(tenant::text, '-', ''))::bit(128) # partywall_private.arrival_mask(nonce);
    perform pg_notify(
        'partywall_jobs',
        nonce
        || lpad(to_hex(substring(hidden from 1 for 64)::bigint), 16, '0')
        || lpad(to_hex(substring(hidden from 65)::bigint), 16, '0')
    );
end
$$;

-- Returns the tenant of a notification; some id that is no tenant's when the notification is none of ours.
create or replace function partywall_private.announced_tenant(notification text)
returns uuid
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    shown bit(128);
begin
    if notification !~ '^[0-9a-f]{64}$' then
        return null;
    end if;
    shown := ('x' || right(notification, 32))::bit(128) # partywall_private.arrival_mask(left(notification, 32));
    return (
        lpad(to_hex(substring(shown from 1 for 64)::bigint), 16, '0')
        || lpad(to_hex(substring(shown from 65)::bigint), 16, '0')
    )::uuid;
end
$$;
