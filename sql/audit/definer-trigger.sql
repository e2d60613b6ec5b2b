-- A trigger on a tenant table that runs a SECURITY DEFINER function.
-- high, fixed by hand, not for shared tables
-- The trigger function runs with its owner's rights on every write of every tenant, and sees what the writer may not.
select
    tenant_tables.name as object,
    'trigger ' || triggers.tgname as part,
    null as role,
    format('%s runs %s as %s', triggers.tgname, called.oid::regprocedure, called.proowner::regrole) as message,
    format('alter function %s security invoker;', called.oid::regprocedure) as fix
from tenant_tables
inner join pg_catalog.pg_trigger as triggers on tenant_tables.oid = triggers.tgrelid
inner join pg_catalog.pg_proc as called on triggers.tgfoid = called.oid
where called.prosecdef
  and not triggers.tgisinternal
  and triggers.tgparentid = 0
