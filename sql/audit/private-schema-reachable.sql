-- A service's login has a right in partywall_private.
-- critical, fixed by the owner
-- Whoever reads a signing key, or may call what signs, makes itself a token for any tenant.
select
    private.object,
    null as part,
    case when count(distinct grantees.login) = 1 then min(grantees.login_name) end as role,
    format(
        '%s granted to %s', string_agg(distinct private.privilege, ', '), string_agg(distinct grantees.reached, ', ')
    ) as message,
    format('revoke all on %s from %s;', private.spelled, string_agg(distinct grantees.grantee_name, ', ')) as fix
from (
    select
        'schema partywall_private' as object,
        'schema partywall_private' as spelled,
        rights.grantee,
        rights.privilege_type as privilege
    from pg_catalog.pg_namespace as namespaces
    cross join lateral aclexplode(namespaces.nspacl) as rights
    where namespaces.nspname = 'partywall_private'
      and rights.grantee <> namespaces.nspowner
    union all
    select
        format('partywall_private.%I', classes.relname) as object,
        format('partywall_private.%I', classes.relname) as spelled,
        rights.grantee,
        rights.privilege_type as privilege
    from pg_catalog.pg_class as classes
    cross join lateral (
        select
            whole.grantee,
            whole.privilege_type
        from aclexplode(classes.relacl) as whole
        union
        select
            partial.grantee,
            partial.privilege_type
        from pg_catalog.pg_attribute as columns
        cross join lateral aclexplode(columns.attacl) as partial
        where columns.attrelid = classes.oid
          and columns.attacl is not null
    ) as rights
    where classes.relnamespace = to_regnamespace('partywall_private')
      and rights.grantee <> classes.relowner
    union all
    select
        routines.oid::regprocedure::text as object,
        'function ' || routines.oid::regprocedure as spelled,
        rights.grantee,
        rights.privilege_type as privilege
    from pg_catalog.pg_proc as routines
    cross join lateral aclexplode(coalesce(routines.proacl, acldefault('f', routines.proowner))) as rights
    where routines.pronamespace = to_regnamespace('partywall_private')
      and rights.grantee <> routines.proowner
) as private
inner join grantees on private.grantee = grantees.grantee
group by private.object, private.spelled
