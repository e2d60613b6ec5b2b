-- Makes the COMMIT of this transaction wait until everything it may have read is on the disk, and on the standbys that
-- commits wait for. The jobs of a bundle commit without waiting, all but the last: until then PostgreSQL may take back
-- in a crash what it already shows. Whoever tells somebody outside what it has read says so here, last.
-- Costs nothing where nothing is underway, and nothing where the transaction has written: then its own COMMIT waits.
create or replace function partywall.wait_for_disk()
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if pg_current_xact_id_if_assigned() is not null then
        return;
    end if;
    if current_setting('synchronous_standby_names') <> '' then
        -- A record of this transaction's own, behind all that was visible to it: its COMMIT waits for both.
        perform pg_logical_emit_message(true, 'partywall', '');
    elsif pg_current_wal_flush_lsn() < pg_current_wal_insert_lsn() then
        if current_setting('server_version_num')::integer >= 170000 then
            -- The same without the number of a transaction.
            perform pg_logical_emit_message(false, 'partywall', '', true);
        else
            perform pg_logical_emit_message(true, 'partywall', '');
        end if;
    end if;
end
$$;

grant execute on function partywall.wait_for_disk() to partywall_worker, partywall_api, partywall_operator;

comment on function partywall.wait_for_disk() is
'partywall: allow definer-executable, it writes an empty record and tells nothing';
