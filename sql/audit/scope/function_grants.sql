-- Which login may execute which function. A function in a schema that it may not use is out of its reach.
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
  and exists (
      select 1 from schemas
      cross join lateral aclexplode(schemas.acl) as schema_rights
      inner join grantees as users on schema_rights.grantee = users.grantee
      where schemas.oid = functions.schema
        and users.login = grantees.login
        and schema_rights.privilege_type = 'USAGE'
  )
