-- A trigger that runs a SECURITY DEFINER function, on a table or view that is judged or that a service may write.
-- high, fixed by hand
-- The function runs with its owner's rights on every write, whoever may execute it, and sees what the writer may not.
select
    relations.name as object,
    'trigger ' || triggers.tgname as part,
    null as role,
    format('%s runs %s as %s', triggers.tgname, called.oid::regprocedure, called.proowner::regrole) as message,
    format('alter function %s security invoker;', called.oid::regprocedure) as fix
from relations
inner join pg_catalog.pg_trigger as triggers on relations.oid = triggers.tgrelid
inner join pg_catalog.pg_proc as called on triggers.tgfoid = called.oid
where called.prosecdef
  and not triggers.tgisinternal
  and triggers.tgparentid = 0
  and (
      relations.is_audited
      or relations.oid in (
          select written.relation
          from (
              select
                  grants.relation,
                  grants.privilege
              from grants
              union all
              select
                  view_reads.relation,
                  grants.privilege
              from grants
              inner join view_reads on grants.relation = view_reads.view
          ) as written
          where written.privilege in ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')
      )
  )
