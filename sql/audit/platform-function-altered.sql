-- A function of the platform is not the one that this version ships, or has a second form.
-- critical, fixed by hand
-- The wall rests on these functions: whoever alters one opens every table at once, and no policy looks different.
-- `partywall migrate` puts back what it ships. Where the database is of another version, migrate or deploy first.
select
    altered_functions.signature as object,
    null as part,
    null as role,
    case
        when altered_functions.is_missing then 'is missing'
        else format('is not as this version ships it: %s', altered_functions.what)
    end as message,
    case
        when altered_functions.what = 'its owner'
            then format('alter function %s owner to partywall_owner;', altered_functions.signature)
    end as fix
from altered_functions
union all
select
    forms.signature as object,
    null as part,
    null as role,
    'has the name of a function of the platform, and may be called in its place' as message,
    format('drop routine %s;', forms.signature) as fix
from platform_functions as forms
inner join shipped_functions
    on forms.schema = shipped_functions.schema
    and forms.name = shipped_functions.name
    and forms.arguments <> shipped_functions.arguments
