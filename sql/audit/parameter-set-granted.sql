-- A service's login may set a parameter that is a superuser's.
-- high, fixed by a superuser
-- Such a parameter can turn triggers and foreign keys off, or put what is bound, tokens too, into a log.
select
    'database ' || current_database() as object,
    'parameter ' || parameters.parname as part,
    case when count(distinct grantees.login) = 1 then min(grantees.login_name) end as role,
    format(
        '%s granted on the parameter %s to %s',
        string_agg(distinct rights.privilege_type, ', '),
        parameters.parname,
        string_agg(distinct grantees.reached, ', ')
    ) as message,
    format(
        'revoke all on parameter %s from %s;', parameters.parname, string_agg(distinct grantees.grantee_name, ', ')
    ) as fix
from pg_catalog.pg_parameter_acl as parameters
cross join lateral aclexplode(parameters.paracl) as rights
inner join grantees on rights.grantee = grantees.grantee
group by parameters.parname
