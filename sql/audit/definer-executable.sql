-- A service's login may call a SECURITY DEFINER function.
-- high, fixed by the owner
-- A SECURITY DEFINER function acts with the rights of its owner. Whoever may call it does what the function lets it.
select
    functions.name as object,
    null as part,
    case when count(distinct function_grants.login) = 1 then min(function_grants.login_name) end as role,
    format(
        'runs as %s, and may be called by %s',
        functions.owner::regrole, string_agg(distinct function_grants.reached, ', ')
    ) as message,
    format(
        'revoke execute on %s %s from %s;',
        functions.kind, functions.name, string_agg(distinct function_grants.grantee_name, ', ')
    ) as fix
from functions
inner join function_grants on functions.oid = function_grants.function
where functions.is_definer
  and functions.returns not in ('trigger'::regtype, 'event_trigger'::regtype)
group by functions.name, functions.kind, functions.owner
