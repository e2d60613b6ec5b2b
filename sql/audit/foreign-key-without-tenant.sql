-- A foreign key to a tenant table that does not pair tenant_id with tenant_id.
-- high, fixed by hand, not for shared tables
-- PostgreSQL checks foreign keys past row-level security: a tenant learns which ids others have, and can pin their
-- rows.
select
    tables.name as object,
    'constraint ' || constraints.conname as part,
    null as role,
    format('%s refers to %s without the tenant', constraints.conname, constraints.confrelid::regclass) as message,
    format(
        'alter table %s drop constraint %I, add constraint %I %s;',
        tables.name,
        constraints.conname,
        constraints.conname,
        regexp_replace(
            pg_get_constraintdef(constraints.oid),
            'FOREIGN KEY \((.*?)\) REFERENCES (.*?)\((.*?)\)',
            'FOREIGN KEY (tenant_id, \1) REFERENCES \2(tenant_id, \3)'
        )
    ) as fix
from tables
inner join pg_catalog.pg_constraint as constraints on tables.oid = constraints.conrelid
inner join pg_catalog.pg_attribute as theirs
    on constraints.confrelid = theirs.attrelid
    and theirs.attname = 'tenant_id'
    and not theirs.attisdropped
where constraints.contype = 'f'
  and constraints.conparentid = 0
  and not exists (
      select 1
      from unnest(constraints.conkey, constraints.confkey) as pairs (mine, theirs)
      where pairs.mine = tables.tenant_column
        and pairs.theirs = theirs.attnum
  )
