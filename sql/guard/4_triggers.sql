-- From here on it watches. Nobody but a superuser can disable an event trigger or drop what is in this schema.

select partywall_guard.protect('partywall_guard.template');

do $begin_clean$
declare
    name  text;
    fault text;
    fix   text;
begin
    for name, fault, fix in
        select relations.oid::regclass, found.fault, found.fix
        from pg_class as relations
        inner join pg_namespace as namespaces on relations.relnamespace = namespaces.oid
        cross join partywall_guard.fault(relations.oid) as found
        where not starts_with(namespaces.nspname, 'pg_')
        order by 1
    loop
        raise exception '% %', name, fault using
            errcode = 'PW013',
            hint = fix;
    end loop;
end
$begin_clean$;

drop trigger if exists settle on partywall_guard.doubts;

create constraint trigger settle
after insert on partywall_guard.doubts
deferrable initially deferred
for each row execute function partywall_guard.settle();

do $events$
begin
    drop event trigger if exists partywall_guard_watch;
    create event trigger partywall_guard_watch on ddl_command_end
    when tag in (
        'CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'ALTER TABLE',
        'CREATE VIEW', 'ALTER VIEW', 'CREATE MATERIALIZED VIEW', 'ALTER MATERIALIZED VIEW',
        'CREATE FOREIGN TABLE', 'ALTER FOREIGN TABLE', 'IMPORT FOREIGN SCHEMA',
        'CREATE SCHEMA', 'ALTER SCHEMA', 'ALTER POLICY', 'ALTER TYPE', 'COMMENT'
    )
    execute function partywall_guard.watch();

    drop event trigger if exists partywall_guard_watch_drops;
    create event trigger partywall_guard_watch_drops on sql_drop
    execute function partywall_guard.watch_drops();
end
$events$;
