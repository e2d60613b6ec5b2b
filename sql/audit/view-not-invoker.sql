-- A view over a tenant table without security_invoker.
-- high, fixed by the owner
-- A view reads with the rights of its owner. Only with security_invoker do the policies of the tables beneath see who
-- asks.
select
    tenant_views.name as object,
    null as part,
    null as role,
    'shows ' || tenant_views.shows || ' with the rights of its owner, ' || tenant_views.owner::regrole::text as message,
    format('alter view %s set (security_invoker = true);', tenant_views.name) as fix
from tenant_views
where tenant_views.kind = 'v'
  and not tenant_views.is_invoker
  and not tenant_views.owner_sees_all
  and (
      tenant_views.is_audited
      or exists (
          select 1 from grants
          where grants.relation = tenant_views.oid
      )
  )
