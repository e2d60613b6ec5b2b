-- Which login may execute which function, in whatever schema: without USAGE it cannot name the function, but a view, a
-- default, a cast or a constraint calls it without naming it.
select
    grantees.login,
    grantees.login_name,
    grantees.grantee,
    grantees.grantee_name,
    grantees.reached,
    functions.oid as function
from functions
cross join lateral aclexplode(functions.acl) as rights
inner join grantees on rights.grantee = grantees.grantee
where rights.privilege_type = 'EXECUTE'
  and rights.grantee <> functions.owner
