-- A service's login may call functions that read files, open connections or steer the server.
-- high, fixed by a superuser
-- They read the server's files, open connections of its own or change how it runs: past every policy.
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
  and routines.proname like any(array[
      'dblink%',
      'pg_read_file',
      'pg_read_binary_file',
      'pg_stat_file',
      'pg\_ls\_%',
      'pg\_file\_%',
      'lo_import',
      'lo_export',
      'pg_reload_conf',
      'pg_rotate_logfile',
      'pg_switch_wal',
      'pg_promote',
      'pg_create_restore_point'
  ])
having count(*) > 0
