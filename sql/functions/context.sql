-- The one door into a tenant, and the question every policy asks.

-- Makes this transaction the tenant's that the token names. Raises PW002 or PW003.
create or replace function partywall.enter(token text)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    proven uuid;
begin
    -- Assigned rather than performed: that would be a query each, which costs more than what it asks for.
    proven := partywall_private.proven_tenant_id(token);
    token := set_config('partywall.token', token, true);
end
$$;

-- Returns the tenant of this transaction, or raises PW001. Anyone may write the setting; only a token
-- that this database signed passes, so a `set_config` by hostile SQL gets nowhere. '' and null are the
-- same to us: after any transaction-local set PostgreSQL leaves '' behind, not null.
create or replace function partywall.current_tenant_id()
returns uuid
language plpgsql
stable
parallel safe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    token text := nullif(current_setting('partywall.token', true), '');
begin
    if token is null then
        raise exception 'no tenant: this transaction has not entered one' using
            errcode = 'PW001',
            hint = 'Open it with tenant_session(), or declare the task tenantless=True.';
    end if;
    return partywall_private.proven_tenant_id(token);
end
$$;

-- Returns the tenant, job and attempt whose token this transaction entered with, or raises PW001.
create or replace function partywall_private.current_attempt(
    out tenant_id uuid, out job_id uuid, out attempt integer
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
    token  text := nullif(current_setting('partywall.token', true), '');
    claims record;
begin
    -- Also without a token, so that the record has fields to ask for.
    select * into claims
    from partywall_private.verify(token)
    where token is not null;

    if split_part(claims.subject, '/', 1) is distinct from 'job' then
        raise exception 'no attempt: this transaction does not belong to a running job' using
            errcode = 'PW001',
            hint = 'Only the context that claim() returned may report on a job.';
    end if;
    tenant_id := claims.tenant_id;
    job_id := split_part(claims.subject, '/', 2)::uuid;
    attempt := split_part(claims.subject, '/', 3)::integer;
end
$$;

grant execute on function partywall.enter(text) to partywall_worker, partywall_api, partywall_operator;
-- Column defaults and policies call it as whoever runs the statement.
grant execute on function partywall.current_tenant_id() to public;

comment on function partywall.enter(text) is
'partywall: allow definer-executable, it believes no token but one that this database signed';
comment on function partywall.current_tenant_id() is
'partywall: allow definer-executable, it tells a transaction its own tenant; every policy asks it';
