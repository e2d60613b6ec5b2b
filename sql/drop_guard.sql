-- Takes the guard away: `partywall migrate --drop-guard`. Tables, policies and rights stay as they are.

do $drop$
begin
    drop event trigger if exists partywall_guard_watch;
    drop event trigger if exists partywall_guard_watch_drops;
end
$drop$;

drop schema if exists partywall_guard cascade;
