-- Whatever holds or shows rows.
select
    classes.oid,
    classes.relkind as kind,
    classes.relowner as owner,
    classes.relacl as acl,
    classes.reloptions as options,
    format('%I.%I', namespaces.nspname, classes.relname) as name,
    coalesce(schemas.is_audited, false) or family.oid is not null as is_audited
from pg_catalog.pg_class as classes
inner join pg_catalog.pg_namespace as namespaces on classes.relnamespace = namespaces.oid
left join schemas on classes.relnamespace = schemas.oid
left join family on classes.oid = family.oid
where (schemas.oid is not null or family.oid is not null)
  and classes.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
  and classes.relpersistence <> 't'
