-- Nobody may call or change anything here. Who migrates or starts may read what is watched, and the backup all of it.

revoke all on schema partywall_guard from public;
revoke all on all functions in schema partywall_guard from public;

do $readers$
declare
    reader text;
begin
    foreach reader in array array[
        'partywall_owner', 'partywall_worker', 'partywall_api', 'partywall_dispatcher', 'partywall_scheduler',
        'partywall_operator', 'partywall_backup'
    ]
    loop
        if to_regrole(reader) is not null then
            execute format('grant usage on schema partywall_guard to %I', reader);
            execute format('grant select on partywall_guard.schemas, partywall_guard.installed to %I', reader);
        end if;
    end loop;
    if to_regrole('partywall_backup') is not null then
        grant select on all tables in schema partywall_guard to partywall_backup;
    end if;
end
$readers$;
