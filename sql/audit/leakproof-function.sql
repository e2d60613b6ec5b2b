-- A function that is declared LEAKPROOF, and did not come with an extension.
-- high, fixed by the owner
-- A function that is declared leakproof is called before the policies are: it gets to see rows of other tenants.
select
    functions.name as object,
    null as part,
    null as role,
    'is declared LEAKPROOF' as message,
    format('alter %s %s not leakproof;', functions.kind, functions.name) as fix
from functions
where functions.is_leakproof
  and not exists (
      select 1 from pg_catalog.pg_depend as memberships
      where memberships.classid = 'pg_catalog.pg_proc'::regclass
        and memberships.objid = functions.oid
        and memberships.deptype = 'e'
  )
