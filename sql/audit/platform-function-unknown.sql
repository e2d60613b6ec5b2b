-- A function in the platform's own schemas that this version does not ship.
-- high, fixed by hand
-- Whatever stands there belongs to the owner of everything, and looks like a part of the wall.
select
    platform_functions.signature as object,
    null as part,
    null as role,
    'is none of this version''s' as message,
    format('drop routine %s;', platform_functions.signature) as fix
from platform_functions
left join shipped_functions
    on platform_functions.schema = shipped_functions.schema
    and platform_functions.name = shipped_functions.name
where shipped_functions.name is null
