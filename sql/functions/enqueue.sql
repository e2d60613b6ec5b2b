-- Accepts a job for the tenant of this transaction. It exists when the transaction commits, and not before.
-- Returns its id, and whether it is new: with a key, it may be another job that was accepted before.
--
-- idempotency_key: the same request sent twice is one job, for as long as that job is kept, also when the job it was
--     answered with is another request's. Raises PW015 when it was used for another task or payload.
-- unique_key: at most one live job of the tenant has it. `if_live` says what to do when there is one: `return` it, or
--     `reject` with PW016.
-- runs_for_deleted: also while the tenant is being deleted.
--
-- priority: -100 to 100; of a tenant's own jobs those with more are started first.
--
-- Raises PW001 without a tenant, PW005/PW006 when the tenant may not work, PW012 when the payload is over 256 KiB,
-- PW017 when as many of its jobs wait as may, PW018 when it is being drained, PW020 when the priority is out of range,
-- PW022 when this transaction has accepted as many as may wait.
create or replace function partywall.enqueue(
    task_name text, payload jsonb, queue text, run_at timestamptz, max_attempts integer,
    runs_for_deleted boolean default false, max_lost integer default 3, expires_at timestamptz default null,
    idempotency_key text default null, unique_key text default null, if_live text default 'reject',
    priority integer default 0
)
returns table (job_id uuid, is_new boolean)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    tenant   constant uuid := partywall.current_tenant_id();
    starts   constant timestamptz := greatest(enqueue.run_at, now());
    -- It may be answered with a job that does not have this key, and then nothing of the job's would keep it.
    is_kept  constant boolean := enqueue.idempotency_key is not null
        and enqueue.unique_key is not null
        and enqueue.if_live = 'return';
begin
    perform partywall_private.require_active_tenant(tenant, enqueue.runs_for_deleted);
    if (enqueue.priority between -100 and 100) is not true then
        raise exception 'the priority is no whole number from -100 to 100' using
            errcode = 'PW020',
            hint = 'Leave it out for 0; of a tenant''s jobs those with more are started first.';
    end if;
    if octet_length(enqueue.payload::text) > 262144 then
        raise exception 'the payload is over 256 KiB' using
            errcode = 'PW012',
            hint = 'Upload big inputs with PUT /v1/files/NAME and pass the name.';
    end if;

    if enqueue.idempotency_key is not null then
        job_id := partywall_private.answered_before(
            tenant, enqueue.task_name, enqueue.payload, enqueue.idempotency_key, is_kept
        );
        if job_id is not null then
            is_new := false;
            return next;
            return;
        end if;
    end if;

    -- More than once only where a job with one of the keys comes or ends at this moment.
    loop
        if enqueue.idempotency_key is not null or enqueue.unique_key is not null then
            job_id := partywall_private.job_in_the_way(
                tenant, enqueue.task_name, enqueue.payload, enqueue.idempotency_key, enqueue.unique_key, enqueue.if_live
            );
            is_new := false;
            exit when job_id is not null;
        end if;
        -- After the keys: what was accepted before is answered the same, however full the queue is by now.
        perform partywall_private.require_room(tenant, 1);

        insert into partywall.jobs (
            tenant_id, task_name, queue, state, max_attempts, max_lost, run_at, expires_at, payload, runs_for_deleted,
            idempotency_key, unique_key, priority
        )
        values (
            tenant, enqueue.task_name, enqueue.queue, case when starts > now() then 'scheduled' else 'queued' end,
            enqueue.max_attempts, enqueue.max_lost, starts, enqueue.expires_at, enqueue.payload,
            enqueue.runs_for_deleted, enqueue.idempotency_key, enqueue.unique_key, enqueue.priority
        )
        on conflict do nothing
        returning jobs.id into job_id;

        is_new := found;
        exit when is_new;
    end loop;

    if is_kept then
        update partywall_private.answered_keys as answered
        set job_id = enqueue.job_id
        where answered.tenant_id = tenant
          and answered.idempotency_key = enqueue.idempotency_key;
    end if;
    if is_new then
        perform partywall_private.announce(tenant);
    end if;
    return next;
end
$$;

-- Returns the job that this key was answered with, null when it was not, or not with a job of another request's. Where
-- it will be, `takes_key` takes it: whoever brings it at the same moment waits for the answer. Raises PW015.
create or replace function partywall_private.answered_before(
    tenant uuid, task_name text, payload jsonb, idempotency_key text, takes_key boolean
)
returns uuid
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    digest constant bytea := sha256(
        convert_to(answered_before.task_name, 'UTF8') || '\x00' || convert_to(answered_before.payload::text, 'UTF8')
    );
    before record;
begin
    if answered_before.takes_key then
        insert into partywall_private.answered_keys (tenant_id, idempotency_key, request_digest)
        values (answered_before.tenant, answered_before.idempotency_key, digest)
        on conflict do nothing;
        if found then
            return null;
        end if;
    end if;

    select answered.job_id, answered.request_digest into before
    from partywall_private.answered_keys as answered
    where answered.tenant_id = answered_before.tenant
      and answered.idempotency_key = answered_before.idempotency_key;

    if before.request_digest <> digest then
        raise exception 'the idempotency key was used for another request' using
            errcode = 'PW015',
            hint = 'Send the same task and payload again, or take a new key for a new request.';
    end if;
    return before.job_id;
end
$$;

-- Returns the job that has one of the keys and may be taken instead, null when it is gone by now. Raises PW015, PW016.
create or replace function partywall_private.job_in_the_way(
    tenant uuid, task_name text, payload jsonb, idempotency_key text, unique_key text, if_live text
)
returns uuid
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    before record;
    live   uuid;
begin
    select jobs.id, jobs.task_name, jobs.payload into before
    from partywall.jobs as jobs
    where jobs.tenant_id = job_in_the_way.tenant
      and jobs.idempotency_key = job_in_the_way.idempotency_key;

    if found then
        if before.task_name <> job_in_the_way.task_name or before.payload <> job_in_the_way.payload then
            raise exception 'the idempotency key was used for another request' using
                errcode = 'PW015',
                hint = 'Send the same task and payload again, or take a new key for a new request.';
        end if;
        return before.id;
    end if;

    select jobs.id into live
    from partywall.jobs as jobs
    where jobs.tenant_id = job_in_the_way.tenant
      and jobs.unique_key = job_in_the_way.unique_key
      and jobs.state in ('scheduled', 'queued', 'dispatched', 'running');

    if live is not null and job_in_the_way.if_live <> 'return' then
        raise exception 'a job with this unique key is live: %', live using
            errcode = 'PW016',
            hint = 'Wait until it is over, cancel it, or ask for the one there is: if_live = return.';
    end if;
    return live;
end
$$;

grant execute on function partywall.enqueue(
    text, jsonb, text, timestamptz, integer, boolean, integer, timestamptz, text, text, text, integer
) to partywall_worker, partywall_api, partywall_operator;

comment on function partywall.enqueue(
    text, jsonb, text, timestamptz, integer, boolean, integer, timestamptz, text, text, text, integer
) is
'partywall: allow definer-executable, it accepts jobs for the tenant of the transaction only';
