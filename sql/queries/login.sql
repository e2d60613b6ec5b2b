-- Who this session is and what it could do beyond its role. `partywall check` asks it of every DSN, so it
-- may name nothing that only a migrated database has.
select
    me.rolsuper as is_superuser,
    me.rolbypassrls as bypasses_rls,
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
        select relations.oid::regclass::text
        from pg_catalog.pg_class as relations
        inner join pg_catalog.pg_namespace as namespaces on relations.relnamespace = namespaces.oid
        where namespaces.nspname in ('partywall', 'partywall_private', 'app')
          and relations.relkind in ('r', 'p', 'v', 'm', 'f')
          and relations.relowner = me.oid
        order by relations.oid::regclass::text
    ) as owned_tables,
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
