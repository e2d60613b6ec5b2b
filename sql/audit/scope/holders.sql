-- Who can become each login: the login itself, and whoever it was given to, however far away. `via` is the member that
-- it was given to first.
select
    logins.oid as login,
    logins.oid as holder,
    null::regrole::oid as via
from logins
where not logins.migrates
union
select
    holders.login,
    grants.member as holder,
    coalesce(holders.via, grants.member) as via
from holders
inner join pg_catalog.pg_auth_members as grants on holders.holder = grants.roleid
