-- A SECURITY DEFINER function without a search_path of its own.
-- high, fixed by the owner
-- Without a search_path of its own a SECURITY DEFINER function looks names up where its caller says, and runs what the
-- caller put there.
select
    functions.name as object,
    null as part,
    null as role,
    format('runs as %s with the search_path of whoever calls it', functions.owner::regrole) as message,
    format(
        'alter %s %s set search_path = pg_catalog, %I, pg_temp;', functions.kind, functions.name, functions.schema_name
    ) as fix
from functions
where functions.is_definer
  and not functions.is_bound
  and not exists (
      select 1 from unnest(functions.settings) as settings (setting)
      where starts_with(settings.setting, 'search_path=')
  )
