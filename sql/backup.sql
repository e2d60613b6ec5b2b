-- Run by every migration, last: what a dump can read, and what a restored dump lacks.

-- Everything, of every tenant, but the keys that sign contexts: who holds a copy of last week's dump must not be able
-- to be any tenant today. A dump leaves them out: pg_dump --exclude-table=partywall_private.signing_keys
do $backup$
declare
    schema   text;
    relation regclass;
    kind     "char";
begin
    if to_regrole('partywall_backup') is null then
        return;
    end if;
    for schema in
        select quote_ident(nspname)
        from pg_namespace
        where nspowner = 'partywall_owner'::regrole
    loop
        execute format('grant usage on schema %s to partywall_backup', schema);
    end loop;
    for relation, kind in
        select oid, relkind
        from pg_class
        where relowner = 'partywall_owner'::regrole
          and relkind in ('r', 'p', 'v', 'm', 'f', 'S')
          and relpersistence <> 't'
          and oid not in (
              'partywall_private.signing_keys'::regclass,
              pg_get_serial_sequence('partywall_private.signing_keys', 'id')::regclass
          )
    loop
        execute format(
            'grant select on %s %s to partywall_backup', case kind when 'S' then 'sequence' else 'table' end, relation
        );
    end loop;
    alter default privileges in schema partywall, app grant select on tables to partywall_backup;
    alter default privileges in schema partywall, app grant select on sequences to partywall_backup;
end
$backup$;

-- A database that was restored has no key. Tokens of the database that was dumped are refused by the new one.
select partywall.rotate_signing_key()
where not exists (
    select from partywall_private.signing_keys
    where retired_at is null
);
