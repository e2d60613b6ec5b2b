-- Waits for a lock of the tenant's and holds it until the transaction ends, so that two jobs do not do the same thing
-- at once. Tenant and key are hashed into one number that nobody finds another key for: A cannot take a lock of B's,
-- nor one of the platform's. The server has one table of locks for everybody: PW014 when this transaction holds 16
-- others. Raises PW001 without a tenant.
create or replace function partywall.lock(key text)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    said   text := format('%s %s', partywall.current_tenant_id(), lock.key);
    number bigint := ('x' || left(encode(sha256(convert_to(said, 'UTF8')), 'hex'), 16))::bit(64)::bigint;
begin
    -- Asked of the server itself: a setting that counts could be set back.
    if (
        select count(*)
        from pg_locks as held
        where held.locktype = 'advisory'
          and held.pid = pg_backend_pid()
          and (held.classid::bigint << 32) | held.objid::bigint <> number
    ) >= 16 then
        raise exception 'the transaction holds 16 locks already' using
            errcode = 'PW014',
            hint = 'Lock what stands for all of it, or commit with job.checkpoint(), which gives the locks back.';
    end if;
    perform pg_advisory_xact_lock(number);
end
$$;

grant execute on function partywall.lock(text) to partywall_worker;

comment on function partywall.lock(text) is
'partywall: allow definer-executable, it takes a lock that is the tenant''s own';
