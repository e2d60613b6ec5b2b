-- Which dispatcher leads: whoever said so last, for as long as its lease lasts. A session that holds a lock would
-- lead on though its process stands still; this one has to speak.

-- Lets the candidate lead for `lease` from now on. Returns how long to wait before asking
-- again: nothing for the leader. Two may lead for a moment, one of which has not heard yet: whatever they send is safe.
create or replace function partywall.lead(candidate uuid, lease interval)
returns interval
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    remaining interval;
begin
    -- Looked at before it is written: a standby that asks writes nothing. By the clock of each moment: now() may lie
    -- before what another transaction wrote while this one waited for it.
    select leader.expires_at - clock_timestamp() into remaining
    from partywall_private.leader as leader
    where leader.holder <> candidate
      -- Further away than a lease is only what a clock said that was set back since.
      and leader.expires_at > clock_timestamp()
      and leader.expires_at <= clock_timestamp() + lease;

    if remaining is not null then
        return remaining;
    end if;

    insert into partywall_private.leader as leader (holder, expires_at)
    values (candidate, clock_timestamp() + lease)
    on conflict (is_only_one) do update
    set holder = excluded.holder,
        expires_at = excluded.expires_at
    where leader.holder = excluded.holder
       or leader.expires_at <= clock_timestamp()
       or leader.expires_at > clock_timestamp() + lease;

    -- Two found nobody leading, and the other was faster.
    return case when found then interval '0' else lease end;
end
$$;

-- Ends the candidate's lease if it leads: it goes in order, and nobody has to wait.
create or replace function partywall.resign(candidate uuid)
returns void
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
    delete from partywall_private.leader where holder = candidate;
$$;

grant execute on function partywall.lead(uuid, interval) to partywall_dispatcher;
grant execute on function partywall.resign(uuid) to partywall_dispatcher;

comment on function partywall.lead(uuid, interval) is
'partywall: allow definer-executable, dispatchers agree on one of them; it tells nothing of a tenant';
comment on function partywall.resign(uuid) is
'partywall: allow definer-executable, a dispatcher ends its own lead';
