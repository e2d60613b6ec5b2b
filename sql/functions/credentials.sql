-- API keys. The secret is made and hashed outside; the database sees a digest of it and keeps a
-- digest of that, so neither its tables nor its logs hold anything that opens a door.

-- Stores a key for the tenant with that slug. Raises PW004 when there is none.
create or replace function partywall.create_api_key(slug text, key_id text, label text, secret_digest bytea)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into partywall_private.api_keys (tenant_id, id, label, secret_proof)
    select id, key_id, create_api_key.label, sha256(secret_digest)
    from partywall.tenants as tenants
    where tenants.slug = create_api_key.slug;

    if not found then
        raise exception 'no tenant has the slug "%"', create_api_key.slug using
            errcode = 'PW004',
            hint = 'Create it first: partywall tenants create SLUG.';
    end if;
end
$$;

-- Revokes a key at once. Returns false when no key has that id; revoking twice is once.
create or replace function partywall.revoke_api_key(key_id text)
returns boolean
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    update partywall_private.api_keys
    set revoked_at = coalesce(revoked_at, now())
    where id = key_id;
    return found;
end
$$;

-- Trades a valid API key for a token of five minutes. Raises PW008 for a wrong, unknown or revoked key
-- (which of them is not told) and PW005 or PW006 when the tenant may not work.
create or replace function partywall.authenticate(key_id text, secret_digest bytea)
returns table (token text, tenant_id uuid, tenant_slug text)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    key partywall_private.api_keys;
begin
    select * into key
    from partywall_private.api_keys
    where id = key_id and secret_proof = sha256(secret_digest) and revoked_at is null;

    if key.id is null then
        raise exception 'the API key was refused' using
            errcode = 'PW008',
            hint = 'Send "Authorization: Bearer pw_<id>_<secret>" with a key that is not revoked.';
    end if;
    perform partywall_private.require_active_tenant(key.tenant_id);

    return query
        select partywall_private.mint(key.tenant_id, 'key/' || key.id, interval '5 minutes'), tenants.id, tenants.slug
        from partywall.tenants as tenants
        where tenants.id = key.tenant_id;
end
$$;

grant execute on function
partywall.create_api_key(text, text, text, bytea),
partywall.revoke_api_key(text)
to partywall_operator;

grant execute on function partywall.authenticate(text, bytea) to partywall_api;

comment on function partywall.create_api_key(text, text, text, bytea) is
'partywall: allow definer-executable, the operator gives keys to every tenant';
comment on function partywall.revoke_api_key(text) is
'partywall: allow definer-executable, the operator takes keys from every tenant';
comment on function partywall.authenticate(text, bytea) is
'partywall: allow definer-executable, it lets in whoever knows an API key, as that key''s tenant';
