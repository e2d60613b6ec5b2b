-- Accepts a job for the tenant of this transaction. It exists when the transaction commits, and not before.
-- Returns its id. Raises PW001 without a tenant, PW005/PW006 when the tenant may not work,
-- PW012 when the payload is over 256 KiB. `runs_for_deleted`: also while the tenant is being deleted.
create or replace function partywall.enqueue(
    task_name text, payload jsonb, queue text, run_at timestamptz, max_attempts integer,
    runs_for_deleted boolean default false
)
returns uuid
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    tenant  uuid := partywall.current_tenant_id();
    starts  timestamptz := greatest(enqueue.run_at, now());
    new_id  uuid;
begin
    perform partywall_private.require_active_tenant(tenant, enqueue.runs_for_deleted);
    if octet_length(enqueue.payload::text) > 262144 then
        raise exception 'the payload is over 256 KiB' using
            errcode = 'PW012',
            hint = 'Upload big inputs with PUT /v1/files/NAME and pass the name.';
    end if;

    insert into partywall.jobs (tenant_id, task_name, queue, state, max_attempts, run_at, payload, runs_for_deleted)
    values (
        tenant, enqueue.task_name, enqueue.queue, case when starts > now() then 'scheduled' else 'queued' end,
        enqueue.max_attempts, starts, enqueue.payload, enqueue.runs_for_deleted
    )
    returning id into new_id;

    -- Empty on purpose: NOTIFY reaches every session, so it may not carry even an id.
    perform pg_notify('partywall_jobs', '');
    return new_id;
end
$$;

grant execute on function partywall.enqueue(text, jsonb, text, timestamptz, integer, boolean)
to partywall_worker, partywall_api, partywall_operator;

comment on function partywall.enqueue(text, jsonb, text, timestamptz, integer, boolean) is
'partywall: allow definer-executable, it accepts jobs for the tenant of the transaction only';
