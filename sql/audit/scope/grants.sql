-- What each login may do to which relation, or to columns of it. Read from the grants, not asked with
-- has_table_privilege(): of a login that can become the owner that would say yes to everything.
select
    grantees.login,
    grantees.login_name,
    grantees.grantee,
    grantees.grantee_name,
    grantees.reached,
    relations.oid as relation,
    rights.privilege_type as privilege
from relations
cross join lateral (
    select
        whole.grantee,
        whole.privilege_type
    from aclexplode(relations.acl) as whole
    union
    select
        partial.grantee,
        partial.privilege_type
    from pg_catalog.pg_attribute as columns
    cross join lateral aclexplode(columns.attacl) as partial
    where columns.attrelid = relations.oid
      and columns.attacl is not null
      and not columns.attisdropped
) as rights
inner join grantees on rights.grantee = grantees.grantee
where rights.grantee <> relations.owner
