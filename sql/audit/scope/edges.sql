-- For each role that a login can become but is not: the statement that takes it away, where it was last given.
select
    memberships.login,
    grants.roleid as role,
    string_agg(format('revoke %s from %s;', grants.roleid::regrole, grants.member::regrole), ' ') as mend
from memberships
inner join pg_catalog.pg_auth_members as grants on memberships.role = grants.member
group by memberships.login, grants.roleid
