-- In whose name a right reaches each login that serves tenants: any role it can become, and PUBLIC, which is 0.
-- `reached` is how a person says it, `grantee_name` how REVOKE does.
select
    logins.oid as login,
    logins.name as login_name,
    memberships.role as grantee,
    memberships.role::regrole::text as grantee_name,
    case
        when memberships.role = logins.oid then logins.name
        else format('%s (through %s)', logins.name, memberships.role::regrole)
    end as reached
from logins
inner join memberships on logins.oid = memberships.login
where not logins.migrates
union all
select
    logins.oid as login,
    logins.name as login_name,
    0::oid as grantee,
    'public' as grantee_name,
    'PUBLIC' as reached
from logins
where not logins.migrates
