-- Calls: tasks started through Celery itself, without a job. What a call proves about itself is a token that was
-- minted while its publisher's code ran in a tenant's context; its subject is call/<call id>/<16 hex digits of the
-- task's name>. So it opens the message it was minted for, and no other. It travels sealed: whoever reads the broker
-- can ask for that one call to be let in, and cannot enter the tenant.

create or replace function partywall_private.call_subject(call_id uuid, task_name text)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
    select format('call/%s/%s', call_id, left(encode(sha256(convert_to(task_name, 'UTF8')), 'hex'), 16))
$$;

-- Returns the token with a digest of itself in the place of its mac.
create or replace function partywall_private.seal(token text)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
    select left(token, -64) || encode(sha256(convert_to(token, 'UTF8')), 'hex')
$$;

-- Returns the token that was sealed, signed anew, or raises PW002: whatever this is, it is no seal of ours.
create or replace function partywall_private.unseal(sealed text)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    token text := partywall_private.sign(left(sealed, -65), split_part(sealed, '.', 2));
begin
    -- Digests are compared, so that the time it takes says nothing. Without a key the comparison is null.
    if (
        sha256(convert_to(partywall_private.seal(token), 'UTF8')) = sha256(convert_to(sealed, 'UTF8'))
    ) is not true then
        raise exception 'the tenant token was refused' using
            errcode = 'PW002',
            hint = 'Publish calls from a task''s body or inside publishing_as(): the database mints their tokens.';
    end if;
    return token;
end
$$;

-- Returns a sealed token for each call, in order, all of the tenant of this transaction. Raises PW001 without a tenant.
-- A call that waits longer than its token lives is refused; thirty days are the most.
create or replace function partywall.mint_calls(call_ids uuid[], task_names text[], lifetime interval)
returns text[]
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    tenant uuid := partywall.current_tenant_id();
begin
    return (
        select array_agg(
            partywall_private.seal(
                partywall_private.mint(
                    tenant,
                    partywall_private.call_subject(calls.id, calls.task_name),
                    least(mint_calls.lifetime, interval '30 days')
                )
            )
            order by calls.place
        )
        from unnest(call_ids, task_names) with ordinality as calls (id, task_name, place)
    );
end
$$;

-- Lets a worker in: returns whose call it is and a token to run it with, for `lifetime`, a day at the most. The call's
-- own may have waited and be about to expire. `held` says that the tenant is suspended: the call may not run now.
--
-- Raises PW002 when the token was minted for another message, PW003, PW004 and PW006.
create or replace function partywall.admit_call(
    token text, call_id uuid, task_name text, runs_for_deleted boolean, lifetime interval
)
returns table (tenant_slug text, tenant_name text, held boolean, admitted_token text)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    proven     record;
    tenant     partywall.tenants;
    suspended  boolean;
begin
    select * into proven from partywall_private.verify(partywall_private.unseal(admit_call.token));
    if proven.subject <> partywall_private.call_subject(admit_call.call_id, admit_call.task_name) then
        raise exception 'the tenant token was refused' using
            errcode = 'PW002',
            hint = 'It was minted for another message. Publish this one from a tenant''s context.';
    end if;

    select * into tenant from partywall.tenants as tenants where tenants.id = proven.tenant_id;
    suspended := tenant.status is not distinct from 'suspended';
    if not suspended then
        perform partywall_private.require_active_tenant(proven.tenant_id, admit_call.runs_for_deleted);
    end if;

    return query select
        tenant.slug, tenant.name, suspended,
        partywall_private.mint(proven.tenant_id, proven.subject, least(admit_call.lifetime, interval '1 day'));
end
$$;

grant execute on function partywall.mint_calls(uuid[], text[], interval)
to partywall_worker, partywall_api, partywall_operator;
grant execute on function partywall.admit_call(text, uuid, text, boolean, interval) to partywall_worker;

comment on function partywall.mint_calls(uuid[], text[], interval) is
'partywall: allow definer-executable, it signs for the tenant of the transaction only';
comment on function partywall.admit_call(text, uuid, text, boolean, interval) is
'partywall: allow definer-executable, it lets in whoever holds a token for this very call';
