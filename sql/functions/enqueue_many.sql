-- Accepts up to 1,000 jobs for the tenant of this transaction, in this order, all or none. Returns of each its place in
-- the array, from 0, its id, and whether it is new.
--
-- items: an array of objects with the arguments of enqueue(): task_name, payload, queue and max_attempts; the others,
--     and run_at, may be left out. Those with a key are accepted by enqueue() itself, one by one; the rest at once.
--
-- Raises what enqueue() raises, PW022 when they are more than may wait at a time, and PW021 when it is no such array.
-- What is wrong with one of them has its place as detail.
create or replace function partywall.enqueue_many(items jsonb)
returns table (place integer, job_id uuid, is_new boolean)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    tenant  constant uuid := partywall.current_tenant_id();
    -- A copy that is not compressed, as a value out of a table may be: of that each look at an item unpacks all.
    listed  constant jsonb := enqueue_many.items || '[]';
    looked  record;
    first   integer := 0;
    keyed   record;
    refused text;
    reason  text;
    advice  text;
begin
    select * into looked from partywall_private.look_through(enqueue_many.items);
    perform partywall_private.require_active_tenant(tenant, looked.runs_for_deleted);
    if not looked.has_keys then
        return query select * from partywall_private.enqueue_at_once(tenant, listed, 0, jsonb_array_length(listed));
        return;
    end if;

    -- A key may be refused. One subtransaction around all of them tells where, and costs as much as for one.
    begin
        for keyed in
            select each.item, each.number::integer - 1 as place
            from jsonb_array_elements(enqueue_many.items) with ordinality as each (item, number)
            where each.item ->> 'idempotency_key' is not null
               or each.item ->> 'unique_key' is not null
            order by each.number
        loop
            return query select * from partywall_private.enqueue_at_once(tenant, listed, first, keyed.place);
            first := keyed.place + 1;
            place := keyed.place;
            select accepted.job_id, accepted.is_new into enqueue_many.job_id, enqueue_many.is_new
            from partywall.enqueue(
                keyed.item ->> 'task_name', keyed.item -> 'payload', keyed.item ->> 'queue',
                (keyed.item ->> 'run_at')::timestamptz, (keyed.item ->> 'max_attempts')::integer,
                coalesce((keyed.item ->> 'runs_for_deleted')::boolean, false),
                coalesce((keyed.item ->> 'max_lost')::integer, 3),
                (keyed.item ->> 'expires_at')::timestamptz, keyed.item ->> 'idempotency_key',
                keyed.item ->> 'unique_key', coalesce(keyed.item ->> 'if_live', 'reject'),
                coalesce((keyed.item ->> 'priority')::integer, 0)
            ) as accepted;
            return next;
        end loop;
    exception when others then
        get stacked diagnostics refused = returned_sqlstate, reason = message_text, advice = pg_exception_hint;
        if refused not in ('PW015', 'PW016') then
            raise;
        end if;
        raise exception '%', reason using
            errcode = refused,
            detail = place,
            hint = advice;
    end;
    return query
    select * from partywall_private.enqueue_at_once(tenant, listed, first, jsonb_array_length(listed));
end
$$;

-- Accepts the items from `first` and before `after`, none of which has a key. Their ids are as uuid7() makes them, but
-- each of a tick of its own, a 4096th of a millisecond: jobs of one moment are started in the order of these. To write
-- one takes longer than a tick, so what comes later has later ones.
create or replace function partywall_private.enqueue_at_once(tenant uuid, items jsonb, first integer, after integer)
returns table (place integer, job_id uuid, is_new boolean)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    tick constant bigint := extract(epoch from clock_timestamp()) * 4096000;
    ids uuid[];
begin
    if enqueue_at_once.after <= enqueue_at_once.first then
        return;
    end if;
    perform partywall_private.require_room(tenant, enqueue_at_once.after - enqueue_at_once.first);
    ids := array(
        select
            (
                overlay(lpad(to_hex(tick + number), 15, '0') placing '7' from 13 for 0)
                || right(gen_random_uuid()::text, 17)
            )::uuid
        from generate_series(1, enqueue_at_once.after - enqueue_at_once.first) as number
    );

    insert into partywall.jobs (
        tenant_id, id, task_name, queue, state, max_attempts, max_lost, run_at, expires_at, payload, runs_for_deleted,
        priority
    )
    select
        enqueue_at_once.tenant, ids[places.place - enqueue_at_once.first + 1], each.item ->> 'task_name',
        each.item ->> 'queue', case when starts.at > now() then 'scheduled' else 'queued' end,
        (each.item ->> 'max_attempts')::integer, coalesce((each.item ->> 'max_lost')::integer, 3), starts.at,
        (each.item ->> 'expires_at')::timestamptz, each.item -> 'payload',
        coalesce((each.item ->> 'runs_for_deleted')::boolean, false),
        coalesce((each.item ->> 'priority')::smallint, 0)
    from generate_series(enqueue_at_once.first, enqueue_at_once.after - 1) as places (place)
    cross join lateral (select enqueue_at_once.items -> places.place as item) as each
    cross join lateral (select greatest((each.item ->> 'run_at')::timestamptz, now()) as at) as starts;

    perform partywall_private.announce(enqueue_at_once.tenant);
    return query
    select enqueue_at_once.first + made.number::integer - 1, made.id, true
    from unnest(ids) with ordinality as made (id, number);
end
$$;

-- Looks through a batch once; returns whether all of it runs for deleted tenants, and whether one has a key. Raises
-- PW012, PW020, PW021 when these are not 1 to 1,000 jobs that enqueue() would take; of what is wrong with several, the
-- first is told.
create or replace function partywall_private.look_through(
    items jsonb, out runs_for_deleted boolean, out has_keys boolean
)
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
    wrong text;
begin
    if (jsonb_typeof(look_through.items) = 'array' and jsonb_array_length(look_through.items) between 1 and 1000)
        is not true
    then
        raise exception 'the batch is no array of 1 to 1,000 jobs' using
            errcode = 'PW021',
            hint = 'Send more in several batches, and none when there is no job.';
    end if;

    -- The first fault sorts first: its place, in four digits, and what it is.
    select
        min(to_char(each.number - 1, 'FM0000') || found.fault),
        bool_and(coalesce(each.item -> 'runs_for_deleted' = 'true', false)),
        bool_or(each.item ->> 'idempotency_key' is not null or each.item ->> 'unique_key' is not null)
    into wrong, runs_for_deleted, has_keys
    from jsonb_array_elements(look_through.items) with ordinality as each (item, number)
    cross join lateral (
        select case
            when not (
                each.item ->> 'task_name' is not null
                and each.item -> 'payload' is not null
                and each.item ->> 'queue' is not null
                and each.item ->> 'max_attempts' is not null
            ) then 'shape'
            when octet_length((each.item -> 'payload')::text) > 262144 then 'payload'
            when each.item ->> 'priority' is null or each.item ->> 'priority' ~ '^-?([0-9]{1,2}|100)$' then null
            else 'priority'
        end as fault
    ) as found;

    if wrong like '____shape' then
        raise exception 'a job of the batch lacks something' using
            errcode = 'PW021',
            detail = left(wrong, 4)::integer,
            hint = 'Each is an object with task_name, payload, queue and max_attempts.';
    elsif wrong like '____payload' then
        raise exception 'the payload is over 256 KiB' using
            errcode = 'PW012',
            detail = left(wrong, 4)::integer,
            hint = 'Upload big inputs with PUT /v1/files/NAME and pass the name.';
    elsif wrong like '____priority' then
        raise exception 'the priority is no whole number from -100 to 100' using
            errcode = 'PW020',
            detail = left(wrong, 4)::integer,
            hint = 'Leave it out for 0; of a tenant''s jobs those with more are started first.';
    end if;
end
$$;

grant execute on function partywall.enqueue_many(jsonb) to partywall_worker, partywall_api, partywall_operator;

comment on function partywall.enqueue_many(jsonb) is
'partywall: allow definer-executable, it accepts jobs for the tenant of the transaction only';
