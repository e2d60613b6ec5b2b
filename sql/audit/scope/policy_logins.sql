-- Which policy decides for which login, and whether a canonical restrictive one for every command stands beside it:
-- whatever that policy lets through, the other one stops.
select distinct
    policies.oid as policy,
    policies.relation,
    grantees.login,
    grantees.login_name,
    exists(
        select 1 from policies as twins
        inner join grantees as twin_grantees on twin_grantees.grantee = any(twins.roles)
        where twins.relation = policies.relation
          and twin_grantees.login = grantees.login
          and twins.is_canonical
          and not twins.is_permissive
          and twins.command = '*'
    ) as is_restrained
from policies
inner join grantees on grantees.grantee = any(policies.roles)
