-- A token, or a setting that a policy reads, that is preset for a login or for the database.
-- high, fixed by a superuser
-- A session that begins with a tenant has one whenever somebody forgets to say which: a default that fails open.
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
  and (
      starts_with(settings.setting, 'partywall.')
      or split_part(settings.setting, '=', 1) in (
          select settings_read.found[1]
          from policies
          cross join lateral regexp_matches(
              concat_ws(' ', policies.using_text, policies.check_text), 'current_setting\(''([^'']*)''', 'g'
          ) as settings_read (found)
      )
  )
