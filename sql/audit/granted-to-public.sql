-- A table, view or sequence with a right for PUBLIC.
-- medium, fixed by the owner
-- PUBLIC is every login of this server, also those that nobody has thought of yet.
select
    relations.name as object,
    null as part,
    null as role,
    string_agg(distinct rights.privilege_type, ', ') || ' granted to PUBLIC' as message,
    format('revoke all on %s from public;', relations.name) as fix
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
) as rights
where relations.is_audited
  and rights.grantee = 0
group by relations.name
