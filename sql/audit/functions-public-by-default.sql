-- The owner of a schema whose new functions PUBLIC may execute.
-- medium, fixed by the owner
-- PostgreSQL lets PUBLIC execute every new function. The first SECURITY DEFINER function is everybody's before anybody
-- revokes it.
select
    'schema ' || schemas.name as object,
    null as part,
    null as role,
    format('what %s creates, PUBLIC may execute', schemas.owner::regrole) as message,
    format(
        'alter default privileges for role %s revoke execute on functions from public;', schemas.owner::regrole
    ) as fix
from schemas
left join pg_catalog.pg_default_acl as defaults
    on schemas.owner = defaults.defaclrole
    and defaults.defaclnamespace = 0
    and defaults.defaclobjtype = 'f'
cross join lateral (
    select count(*) as open
    from aclexplode(coalesce(defaults.defaclacl, acldefault('f', schemas.owner))) as rights
    where rights.grantee = 0
) as publicly
where schemas.is_audited
  and publicly.open > 0
