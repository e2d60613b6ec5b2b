-- Tables that services use, in a schema that was not named.
-- medium, fixed by hand
-- Nobody judged these tables, and services use them. Name the schema with --schema.
select
    'schema ' || schemas.name as object,
    null as part,
    case when count(distinct grants.login) = 1 then min(grants.login_name) end as role,
    format(
        'was not audited, and %s may be used by %s',
        case
            when count(distinct relations.oid) = 1 then min(relations.name)
            else count(distinct relations.oid) || ' of its tables'
        end,
        string_agg(distinct grants.reached, ', ')
    ) as message,
    null as fix
from schemas
inner join pg_catalog.pg_class as classes on schemas.oid = classes.relnamespace
inner join relations on classes.oid = relations.oid
inner join grants on relations.oid = grants.relation
where not relations.is_audited
  and relations.kind in ('r', 'p', 'f', 'm')
  and not exists (
      select 1 from pg_catalog.pg_depend as memberships
      where memberships.classid = 'pg_catalog.pg_class'::regclass
        and memberships.objid = classes.oid
        and memberships.deptype = 'e'
  )
group by schemas.name
