-- A service's login may call a function in an untrusted language.
-- high, fixed by the owner
-- A function in an untrusted language does on the server whatever the server's own account may: it reads the data
-- files, past every policy.
select
    functions.name as object,
    null as part,
    case when count(distinct function_grants.login) = 1 then min(function_grants.login_name) end as role,
    format(
        'is written in %s, which is untrusted, and may be called by %s',
        languages.lanname, string_agg(distinct function_grants.reached, ', ')
    ) as message,
    format(
        'revoke execute on %s %s from %s;',
        functions.kind, functions.name, string_agg(distinct function_grants.grantee_name, ', ')
    ) as fix
from functions
inner join function_grants on functions.oid = function_grants.function
inner join pg_catalog.pg_language as languages on functions.language = languages.oid
where languages.lanispl
  and not languages.lanpltrusted
group by functions.name, functions.kind, languages.lanname
