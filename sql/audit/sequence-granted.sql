-- A service's login may read or reset a sequence.
-- medium, fixed by the owner
-- SELECT on a sequence tells how much all tenants write; UPDATE resets it under all of them.
select
    relations.name as object,
    null as part,
    case when count(distinct grants.login) = 1 then min(grants.login_name) end as role,
    format(
        '%s granted to %s', string_agg(distinct grants.privilege, ', '), string_agg(distinct grants.reached, ', ')
    ) as message,
    format(
        'revoke select, update on sequence %s from %s;', relations.name, string_agg(distinct grants.grantee_name, ', ')
    ) as fix
from relations
inner join grants on relations.oid = grants.relation
where relations.is_audited
  and relations.kind = 'S'
  and grants.privilege in ('SELECT', 'UPDATE')
group by relations.name
