-- A function that sets row_security, a role or a token for as long as it runs.
-- high, fixed by hand
-- While such a function runs, row-level security, the role or the tenant is another than the caller's.
select
    functions.name as object,
    null as part,
    null as role,
    'runs with ' || string_agg(settings.setting, ', ' order by settings.setting) as message,
    string_agg(
        format(
            'alter %s %s reset %s;', functions.kind, functions.name, split_part(settings.setting, '=', 1)
        ),
        ' ' order by settings.setting
    ) as fix
from functions
cross join lateral unnest(functions.settings) as settings (setting)
where settings.setting ~ '^(row_security|role|session_authorization|session_replication_role|partywall\.[^=]*)='
group by functions.name
