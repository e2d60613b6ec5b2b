-- Who this session is and what it could do beyond its role. `partywall check` asks it of every DSN, so it
-- may name nothing that only a migrated database has.
select
    me.rolsuper as is_superuser,
    me.rolbypassrls as bypasses_rls,
    me.rolcreaterole as creates_roles,
    me.rolreplication as replicates,
    me.rolname::text as login,
    current_setting('server_version_num')::integer as version,
    array(
        select other.rolname::text
        from pg_catalog.pg_roles as other
        where other.oid <> me.oid
          and (starts_with(other.rolname::text, 'partywall_') or other.rolsuper or other.rolbypassrls)
          and pg_has_role(me.oid, other.oid, 'member')
        order by other.rolname
    ) as memberships,
    array(
        select things.name
        from (
            select
                relations.relowner as owner,
                relations.relnamespace as schema,
                format(
                    '%s %s',
                    case relations.relkind
                        when 'v' then 'view'
                        when 'm' then 'materialized view'
                        when 'f' then 'foreign table'
                        when 'S' then 'sequence'
                        else 'table'
                    end,
                    relations.oid::regclass
                ) as name
            from pg_catalog.pg_class as relations
            where relations.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
              and relations.relpersistence <> 't'
            union all
            select
                routines.proowner,
                routines.pronamespace,
                format('routine %s', routines.oid::regprocedure)
            from pg_catalog.pg_proc as routines
            union all
            select
                namespaces.nspowner,
                namespaces.oid,
                format('schema %I', namespaces.nspname)
            from pg_catalog.pg_namespace as namespaces
            union all
            select
                databases.datdba,
                null,
                format('database %I', databases.datname)
            from pg_catalog.pg_database as databases
            where databases.datname = current_database()
        ) as things
        left join pg_catalog.pg_namespace as homes on things.schema = homes.oid
        where things.owner = me.oid
          and not starts_with(coalesce(homes.nspname::text, ''), 'pg_')
        order by things.name
    ) as owned,
    installed.oid is not null as is_migrated,
    coalesce(
        has_schema_privilege(me.oid, installed.pronamespace, 'usage')
        and has_function_privilege(me.oid, installed.oid, 'execute'),
        false
    ) as may_ask_schema,
    to_regrole('partywall_backup') is not null as has_backup_role
from pg_catalog.pg_roles as me
left join (
    select
        functions.oid,
        functions.pronamespace
    from pg_catalog.pg_proc as functions
    inner join pg_catalog.pg_namespace as namespaces on functions.pronamespace = namespaces.oid
    where namespaces.nspname = 'partywall'
      and functions.proname = 'installed_schema'
) as installed on true
where me.rolname = session_user
