-- A policy that calls a volatile or parallel unsafe function.
-- medium, fixed by hand, not for shared tables
-- A volatile function keeps a policy from using any index, a parallel unsafe one keeps every query from running in
-- parallel.
select
    judged_policies.table_name as object,
    judged_policies.part,
    null as role,
    format(
        'calls %s, which is %s',
        called.oid::regprocedure,
        case when called.provolatile = 'v' then 'volatile' else 'parallel unsafe' end
    ) as message,
    format('alter function %s stable parallel safe;', called.oid::regprocedure) as fix
from judged_policies
inner join pg_catalog.pg_depend as uses
    on judged_policies.oid = uses.objid
    and uses.classid = 'pg_catalog.pg_policy'::regclass
    and uses.refclassid = 'pg_catalog.pg_proc'::regclass
inner join pg_catalog.pg_proc as called on uses.refobjid = called.oid
where called.provolatile = 'v'
   or called.proparallel = 'u'
