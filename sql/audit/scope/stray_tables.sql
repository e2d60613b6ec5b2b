-- Tables with tenant_id and without row-level security that services use, outside of the audited schemas.
select
    relations.oid,
    relations.name,
    string_agg(distinct grants.reached, ', ') as reached,
    case when count(distinct grants.login) = 1 then min(grants.login_name) end as role
from relations
inner join pg_catalog.pg_class as classes on relations.oid = classes.oid
inner join pg_catalog.pg_attribute as columns on relations.oid = columns.attrelid
inner join grants on relations.oid = grants.relation
where not relations.is_audited
  and relations.kind in ('r', 'p')
  and not classes.relrowsecurity
  and columns.attname = 'tenant_id'
  and not columns.attisdropped
group by relations.oid, relations.name
