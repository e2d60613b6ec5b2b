-- A SECURITY DEFINER function whose search_path does not end in pg_temp, or depends on the caller.
-- medium, fixed by the owner
-- PostgreSQL looks for tables in pg_temp first unless it is named last: a temporary table can stand in for a real one.
select
    functions.name as object,
    null as part,
    null as role,
    format('runs as %s with the search_path %s', functions.owner::regrole, paths.path) as message,
    format(
        'alter %s %s set search_path = %s;',
        functions.kind,
        functions.name,
        concat_ws(', ', paths.kept, 'pg_temp')
    ) as fix
from functions
cross join lateral (
    select
        substr(settings.setting, 13) as path,
        (
            select string_agg(quote_ident(btrim(schemas.spelled, ' "')), ', ' order by schemas.place)
            from unnest(string_to_array(substr(settings.setting, 13), ',')) with ordinality as schemas (spelled, place)
            where btrim(schemas.spelled, ' "') not in ('pg_temp', '$user', '')
        ) as kept
    from unnest(functions.settings) as settings (setting)
    where starts_with(settings.setting, 'search_path=')
) as paths
where functions.is_definer
  and not functions.is_bound
  and (paths.path !~ '(^|, ?)"?pg_temp"?$' or paths.path like '%$user%')
