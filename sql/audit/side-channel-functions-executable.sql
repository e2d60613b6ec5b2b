-- A service's login may look at or end other sessions, use large objects, or take advisory locks.
-- medium, fixed by a superuser
-- Sessions of one role share them, whatever tenant each is: they read each other's queries, end each other, and leave
-- large objects for each other. All share one table of locks: one statement fills it, and nobody can work.
select
    'database ' || current_database() as object,
    null as part,
    case when count(distinct grantees.login) = 1 then min(grantees.login_name) end as role,
    format(
        '%s may call %s',
        string_agg(distinct grantees.reached, ', '), string_agg(distinct routines.proname, ', ')
    ) as message,
    format(
        'revoke execute on function %s from %s;',
        string_agg(distinct routines.oid::regprocedure::text, ', '), string_agg(distinct grantees.grantee_name, ', ')
    ) as fix
from pg_catalog.pg_proc as routines
cross join lateral aclexplode(coalesce(routines.proacl, acldefault('f', routines.proowner))) as rights
inner join grantees on rights.grantee = grantees.grantee
where rights.grantee <> routines.proowner
  and routines.pronamespace = 'pg_catalog'::regnamespace
  -- The last one frees nobody else's locks.
  and routines.proname not in ('lo_import', 'lo_export', 'pg_advisory_unlock_all')
  and routines.proname like any(array[
      'lo\_%',
      'loread',
      'lowrite',
      'pg\_advisory\_%',
      'pg\_try\_advisory\_%',
      'pg_terminate_backend',
      'pg_cancel_backend',
      'pg_stat_get_activity',
      'pg_stat_get_backend_activity',
      'pg_stat_get_backend_idset'
  ])
having count(*) > 0
