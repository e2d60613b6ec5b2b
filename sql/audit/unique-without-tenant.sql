-- A unique index or exclusion on a tenant table, without tenant_id.
-- high, fixed by hand, not for shared tables
-- A unique index without the tenant tells one tenant what another has: the insert of a value that exists fails.
select
    tenant_tables.name as object,
    coalesce('constraint ' || constraints.conname, 'index ' || names.relname) as part,
    null as role,
    names.relname || ' is unique across tenants' as message,
    case
        when constraints.oid is not null
            then format(
                'alter table %s drop constraint %I, add constraint %I %s;',
                tenant_tables.name,
                constraints.conname,
                constraints.conname,
                regexp_replace(
                    pg_get_constraintdef(constraints.oid),
                    '\(',
                    case when constraints.contype = 'x' then '(tenant_id WITH =, ' else '(tenant_id, ' end
                )
            )
        else format(
            'drop index %s; %s;',
            names.oid::regclass,
            regexp_replace(pg_get_indexdef(names.oid), '( USING \w+) \(', '\1 (tenant_id, ')
        )
    end as fix
from tenant_tables
inner join pg_catalog.pg_index as indexes on tenant_tables.oid = indexes.indrelid
inner join pg_catalog.pg_class as names on indexes.indexrelid = names.oid
left join pg_catalog.pg_constraint as constraints
    on indexes.indexrelid = constraints.conindid
    and constraints.contype in ('p', 'u', 'x')
where (indexes.indisunique or indexes.indisexclusion)
  and not tenant_tables.tenant_column = any((indexes.indkey::smallint[])[0:indexes.indnkeyatts - 1])
  and not exists (
      select 1 from pg_catalog.pg_inherits as parents
      where parents.inhrelid = indexes.indexrelid
  )
