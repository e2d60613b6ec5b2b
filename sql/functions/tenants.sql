-- Tenants come, pause and return. Only the operator's role may say so.

-- Returns when the tenant may work, or raises: PW004 unknown, PW005 suspended, PW006 being deleted. What
-- `runs_for_deleted` may work for a tenant that is being deleted: it is what deletes it.
create or replace function partywall_private.require_active_tenant(tenant uuid, runs_for_deleted boolean default false)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    status text;
begin
    select tenants.status into status from partywall.tenants where id = tenant;
    case status
        when 'active' then return;
        when 'suspended' then
            raise exception 'the tenant is suspended' using
                errcode = 'PW005',
                hint = 'Ask an operator to resume it: partywall tenants resume SLUG.';
        when 'deleting' then
            if runs_for_deleted then
                return;
            end if;
            raise exception 'the tenant is being deleted' using
                errcode = 'PW006',
                hint = 'Nothing is started for it any more, but tasks declared runs_for_deleted=True.';
        else
            raise exception 'the tenant is unknown' using
                errcode = 'PW004',
                hint = 'An operator creates one with: partywall tenants create SLUG.';
    end case;
end
$$;

-- Returns the id of the new tenant. Raises PW007 when the slug is taken, PW019 when there is no such tier.
create or replace function partywall.create_tenant(slug text, name text, tier text default 'standard')
returns uuid
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    new_id uuid;
begin
    insert into partywall.tenants (slug, name, tier)
    values (create_tenant.slug, create_tenant.name, create_tenant.tier)
    on conflict on constraint tenants_slug_is_unique do nothing
    returning id into new_id;

    if new_id is null then
        raise exception 'the slug "%" is taken', create_tenant.slug using
            errcode = 'PW007',
            hint = 'Choose another slug; partywall tenants list shows those in use.';
    end if;
    return new_id;
exception when foreign_key_violation then
    perform partywall_private.raise_no_tier(create_tenant.tier);
end
$$;

-- Locks a tenant that is to change and returns it; nulls when none has that slug. Raises PW006: it is being deleted.
create or replace function partywall_private.lock_tenant(slug text, out id uuid, out status text)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    select tenants.id, tenants.status into lock_tenant.id, lock_tenant.status
    from partywall.tenants as tenants
    where tenants.slug = lock_tenant.slug
    -- Not `for update`: that would wait for every body that has enqueued something until it ends.
    for no key update;

    if lock_tenant.status = 'deleting' then
        raise exception 'the tenant is being deleted' using
            errcode = 'PW006',
            hint = 'There is no way back.';
    end if;
end
$$;

-- Takes back what was dispatched of a tenant and is not claimed yet. It waits here again; its messages find nothing.
create or replace function partywall_private.undo_dispatches_of(tenant uuid)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
    select partywall.undo_dispatch(array(
        select jobs.dispatch_nonce
        from partywall.jobs as jobs
        where jobs.tenant_id = undo_dispatches_of.tenant
          and jobs.state = 'dispatched'
    ))
$$;

-- Suspends: nothing of the tenant starts or is accepted until it is resumed. Its waiting jobs stay.
-- Returns the tenant's id, or null when no tenant has that slug. Suspending twice is once. Raises PW006.
create or replace function partywall.suspend_tenant(slug text)
returns uuid
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    tenant record;
begin
    select * into tenant from partywall_private.lock_tenant(suspend_tenant.slug);
    update partywall.tenants as tenants
    set status = 'suspended',
        suspended_at = coalesce(tenants.suspended_at, now())
    where tenants.id = tenant.id;

    perform partywall_private.undo_dispatches_of(tenant.id);
    return tenant.id;
end
$$;

-- Lets a tenant work again that was suspended, paused or drained, and wakes the dispatcher for what waited. A dispatch
-- that began before it was suspended may have ended after; its message was dropped, and without us it would be sent
-- again in half a minute. Returns the tenant's id, or null when no tenant has that slug. Raises PW006.
create or replace function partywall.resume_tenant(slug text, changed_by text default null)
returns uuid
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    tenant record;
begin
    select * into tenant from partywall_private.lock_tenant(resume_tenant.slug);
    if tenant.status = 'suspended' then
        perform partywall_private.undo_dispatches_of(tenant.id);
        update partywall.tenants as tenants
        set status = 'active',
            suspended_at = null
        where tenants.id = tenant.id;
        perform partywall_private.announce(tenant.id);
    end if;
    perform partywall_private.change_flow(tenant.id, 'open', null, resume_tenant.changed_by);
    return tenant.id;
end
$$;

-- Sets for how many days the tenant's finished jobs are kept. Returns its id, or null when no tenant has that slug.
create or replace function partywall.set_job_retention(slug text, days integer)
returns uuid
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
    update partywall.tenants as tenants
    set job_retention_days = set_job_retention.days
    where tenants.slug = set_job_retention.slug
    returning tenants.id
$$;

-- Begins to delete: nothing of the tenant is accepted or starts any more, except what is declared to run for it all
-- the same. The reaper cancels what waits. The rows stay. Returns the tenant's id, or null when no tenant has that
-- slug. There is no way back.
create or replace function partywall.delete_tenant(slug text)
returns uuid
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
    update partywall.tenants as tenants
    set status = 'deleting',
        suspended_at = null
    where tenants.slug = delete_tenant.slug
    returning tenants.id
$$;

-- Cancels at most `batch_limit` jobs that wait for tenants that are being deleted, whichever way they came to wait.
-- Returns how many.
create or replace function partywall.cancel_jobs_of_deleted(batch_limit integer)
returns integer
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    cancelled integer := 0;
    ended     record;
begin
    for ended in
        with waiting as materialized (
            select jobs.tenant_id, jobs.id, jobs.state
            from partywall.tenants as tenants
            inner join partywall.jobs as jobs on tenants.id = jobs.tenant_id
            where tenants.status = 'deleting'
              and jobs.state in ('scheduled', 'queued', 'dispatched')
              and not jobs.runs_for_deleted
            limit batch_limit
            for update of jobs skip locked
        ),
        done as (
            update partywall.jobs as jobs
            set state = 'cancelled',
                dispatch_nonce = null,
                finished_at = now(),
                cancel_reason = 'the tenant is being deleted'
            from waiting
            where jobs.tenant_id = waiting.tenant_id
              and jobs.id = waiting.id
            returning jobs.tenant_id, waiting.state
        )
        select
            done.tenant_id,
            count(*) as jobs,
            count(*) filter (where done.state = 'dispatched') as dispatched
        from done
        group by done.tenant_id
    loop
        cancelled := cancelled + ended.jobs;
        -- What runs for a deleted tenant has its rate too.
        perform partywall_private.give_token_back(ended.tenant_id, ended.dispatched::integer);
    end loop;
    return cancelled;
end
$$;

-- Returns a token for any tenant, active or not, for one hour: how an operator looks inside.
-- Raises PW004 when no tenant has that slug.
create or replace function partywall.open_tenant(slug text)
returns text
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    tenant uuid;
begin
    select id into tenant from partywall.tenants as tenants where tenants.slug = open_tenant.slug;
    if tenant is null then
        raise exception 'no tenant has the slug "%"', open_tenant.slug using
            errcode = 'PW004',
            hint = 'partywall tenants list shows those there are.';
    end if;
    return partywall_private.mint(tenant, 'operator/' || session_user, interval '1 hour');
end
$$;

grant execute on function
partywall.create_tenant(text, text, text),
partywall.suspend_tenant(text),
partywall.resume_tenant(text, text),
partywall.set_job_retention(text, integer),
partywall.delete_tenant(text),
partywall.open_tenant(text)
to partywall_operator;

grant execute on function partywall.cancel_jobs_of_deleted(integer) to partywall_dispatcher;

comment on function partywall.create_tenant(text, text, text) is
'partywall: allow definer-executable, the operator creates tenants';
comment on function partywall.suspend_tenant(text) is
'partywall: allow definer-executable, the operator suspends tenants';
comment on function partywall.resume_tenant(text, text) is
'partywall: allow definer-executable, the operator resumes tenants';
comment on function partywall.set_job_retention(text, integer) is
'partywall: allow definer-executable, the operator says how long finished jobs are kept';
comment on function partywall.delete_tenant(text) is
'partywall: allow definer-executable, the operator begins the end of a tenant';
comment on function partywall.cancel_jobs_of_deleted(integer) is
'partywall: allow definer-executable, the reaper cancels jobs of tenants that are being deleted; it sees ids only';
comment on function partywall.open_tenant(text) is
'partywall: allow definer-executable, the operator may look into every tenant, one at a time';
