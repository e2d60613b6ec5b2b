-- The processes that run bodies: each says who it is, and while it runs something, that it still does. A body has the
-- same login, so a process proves who it is with a secret that it made when it began. Nothing here locks the row of a
-- process whose secret is not known: its next heartbeat would wait for that body's transaction, and lose its leases.

-- Adds a process, or says that it is still there. Its id is new for every process; a name and a pid come back. `tasks`
-- are those that it knows; null is all. Raises PW023 when the id is listed with another secret.
create or replace function partywall.register_worker(
    id uuid, name text, pid integer, pool text, queues text[], slots integer, secret bytea, tasks text[]
)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    update partywall_private.workers as workers
    set seen_at = now()
    where workers.id = register_worker.id
      and workers.secret_sha256 = sha256(register_worker.secret);

    if found then
        return;
    end if;

    insert into partywall_private.workers (id, name, pid, pool, queues, slots, secret_sha256, tasks)
    values (
        register_worker.id, register_worker.name, register_worker.pid, register_worker.pool, register_worker.queues,
        register_worker.slots, sha256(register_worker.secret), register_worker.tasks
    )
    on conflict on constraint workers_pkey do nothing;

    if not found then
        raise exception 'another process is listed with this id' using
            errcode = 'PW023',
            hint = 'Take a new id and a new secret for every process.';
    end if;
end
$$;

-- Says that the process is alive and extends the leases of the attempts whose tokens it holds to `lease` from now, once
-- a third of it is used up. Returns what is no longer theirs: the position of the token, from 1, and the state of its
-- job, null when there is none. A row that somebody has locked is being finished or taken away at this moment: the next
-- heartbeat will tell. Without the secret of the process, as the version before sends it, it is about leases only.
create or replace function partywall.heartbeat(
    worker uuid, tokens text[], lease interval, secret bytea default null
)
returns table (token_position integer, job_state text)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    proven record;
    job    record;
begin
    update partywall_private.workers as workers
    set seen_at = now()
    where workers.id = heartbeat.worker
      and workers.secret_sha256 = sha256(heartbeat.secret);

    for place in 1 .. coalesce(array_length(tokens, 1), 0) loop
        token_position := place;
        job_state := null;
        begin
            select * into proven from partywall_private.verify(tokens[place]);
        exception when sqlstate 'PW002' or sqlstate 'PW003' then
            return next;
            continue;
        end;
        -- What stands in the place of the job's id need not be a uuid, and a failed cast would end all the others'
        -- leases.
        if split_part(proven.subject, '/', 1) <> 'job' then
            return next;
            continue;
        end if;

        select jobs.state, jobs.attempt, jobs.lease_expires_at into job
        from partywall.jobs as jobs
        where jobs.tenant_id = proven.tenant_id
          and jobs.id = split_part(proven.subject, '/', 2)::uuid;

        if not found
            or job.state <> 'running'
            or job.attempt <> split_part(proven.subject, '/', 3)::integer
        then
            job_state := job.state;
            return next;
        elsif job.lease_expires_at < now() + heartbeat.lease * 2 / 3 then
            with mine as (
                select jobs.tenant_id, jobs.id
                from partywall.jobs as jobs
                where jobs.tenant_id = proven.tenant_id
                  and jobs.id = split_part(proven.subject, '/', 2)::uuid
                  and jobs.attempt = job.attempt
                  and jobs.state || '' = 'running'
                for no key update skip locked
            )
            update partywall.jobs as jobs
            set lease_expires_at = now() + heartbeat.lease
            from mine
            where jobs.tenant_id = mine.tenant_id
              and jobs.id = mine.id;
        end if;
    end loop;
end
$$;

-- Forgets a process that ends. Nothing happens when its secret is another.
create or replace function partywall.forget_worker(id uuid, secret bytea)
returns void
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
    delete from partywall_private.workers as workers
    where workers.id = forget_worker.id
      and workers.secret_sha256 = sha256(forget_worker.secret)
$$;

-- Forgets processes that have not been heard of for `silent_for`; returns how many. What they ran is not asked here:
-- each job has a lease of its own. A row that is locked is left to the next time: the reaper waits for no body.
create or replace function partywall.forget_lost_workers(silent_for interval)
returns integer
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    forgotten integer;
begin
    with lost as materialized (
        select silent.id
        from partywall_private.workers as silent
        where silent.seen_at < now() - silent_for
        for update skip locked
    )
    delete from partywall_private.workers as workers
    using lost
    where workers.id = lost.id;

    get diagnostics forgotten = row_count;
    return forgotten;
end
$$;

-- Returns the sets of queues that processes serve which were heard of lately, and how many bodies they run at a time.
create or replace function partywall.served_queues()
returns table (queues text[], slots bigint)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
    select workers.queues, sum(workers.slots)
    from partywall_private.workers as workers
    where workers.seen_at > now() - interval '45 seconds'
    group by workers.queues
$$;

-- Returns those of the tasks that a process knows which serves one of the queues, null for all tasks: what nobody knows
-- a worker would drop, so it waits here. The tasks as they are where no process serves the queues, or one says nothing.
create or replace function partywall_private.runnable_tasks(on_queues text[], tasks text[])
returns text[]
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
    known record;
begin
    select
        array_agg(distinct each.task_name) filter (where each.task_name is not null) as tasks,
        coalesce(bool_or(lists.tasks is null), true) as are_all
    into known
    from (
        select distinct workers.tasks
        from partywall_private.workers as workers
        where workers.queues && runnable_tasks.on_queues
          and workers.seen_at > now() - interval '45 seconds'
    ) as lists
    left join lateral unnest(lists.tasks) as each (task_name)
        on runnable_tasks.tasks is null or each.task_name = any(runnable_tasks.tasks);

    return case when known.are_all then runnable_tasks.tasks else coalesce(known.tasks, '{}') end;
end
$$;

-- Returns every process, oldest first, with a row for each job it runs; one with nulls when it runs none.
create or replace function partywall.workers_overview()
returns table (
    id uuid, name text, pid integer, pool text, queues text[], started_at timestamptz, seen_at timestamptz,
    tenant_slug text, job_id uuid, task_name text, attempt integer, job_started_at timestamptz
)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
    select
        workers.id, workers.name, workers.pid, workers.pool, workers.queues, workers.started_at, workers.seen_at,
        tenants.slug, jobs.id, jobs.task_name, jobs.attempt, jobs.started_at
    from partywall_private.workers as workers
    left join partywall.jobs as jobs on workers.id = jobs.worker_id and jobs.state = 'running'
    left join partywall.tenants as tenants on jobs.tenant_id = tenants.id
    order by workers.id, jobs.started_at
$$;

grant execute on function
partywall.register_worker(uuid, text, integer, text, text[], integer, bytea, text[]),
partywall.heartbeat(uuid, text[], interval, bytea),
partywall.forget_worker(uuid, bytea)
to partywall_worker;
grant execute on function partywall.forget_lost_workers(interval), partywall.served_queues() to partywall_dispatcher;
grant execute on function partywall.workers_overview() to partywall_operator;

comment on function partywall.register_worker(uuid, text, integer, text, text[], integer, bytea, text[]) is
'partywall: allow definer-executable, it lists processes for the operator; there is nothing of a tenant in it';
comment on function partywall.heartbeat(uuid, text[], interval, bytea) is
'partywall: allow definer-executable, it speaks for no job but those whose tokens it is given';
comment on function partywall.forget_worker(uuid, bytea) is
'partywall: allow definer-executable, it lists processes for the operator; there is nothing of a tenant in it';
comment on function partywall.forget_lost_workers(interval) is
'partywall: allow definer-executable, it lists processes for the operator; there is nothing of a tenant in it';
comment on function partywall.served_queues() is
'partywall: allow definer-executable, it counts processes; there is nothing of a tenant in it';
comment on function partywall.workers_overview() is
'partywall: allow definer-executable, the operator sees which process runs which job, nothing a tenant wrote';
