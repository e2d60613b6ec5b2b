-- A search_path, role or the like that is preset for a login or for the database.
-- medium, fixed by a superuser
-- It changes what names mean, who the session is or whether policies and triggers are asked, before the first
-- statement.
select
    coalesce('role ' || roles.rolname, 'database ' || databases.datname, 'database ' || current_database()) as object,
    null as part,
    roles.rolname::text as role,
    format(
        '%s is preset for %s',
        settings.setting,
        coalesce(roles.rolname, 'everybody') || coalesce(' in ' || databases.datname, '')
    ) as message,
    format(
        'alter %s reset %s;',
        case
            when roles.oid is null and databases.oid is null then 'role all'
            when roles.oid is null then 'database ' || quote_ident(databases.datname)
            else concat('role ', quote_ident(roles.rolname), ' in database ' || quote_ident(databases.datname))
        end,
        split_part(settings.setting, '=', 1)
    ) as fix
from pg_catalog.pg_db_role_setting as presets
cross join lateral unnest(presets.setconfig) as settings (setting)
left join pg_catalog.pg_roles as roles on presets.setrole = roles.oid
left join pg_catalog.pg_database as databases on presets.setdatabase = databases.oid
where (presets.setdatabase = 0 or databases.datname = current_database())
  and (presets.setrole = 0 or roles.oid in (select logins.oid from logins))
  and split_part(settings.setting, '=', 1) in (
      'role',
      'session_authorization',
      'session_replication_role',
      'row_security',
      'search_path',
      'local_preload_libraries',
      'session_preload_libraries'
  )
