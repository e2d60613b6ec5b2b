-- A view over a tenant table without security_invoker, whose owner no policy holds back.
-- critical, fixed by the owner
-- The view reads with the rights of an owner whom no policy holds back: it shows every tenant's rows to whoever may
-- read it.
select
    tenant_views.name as object,
    null as part,
    null as role,
    format(
        'shows %s with the rights of %s, whom no policy holds back', tenant_views.shows, tenant_views.owner::regrole
    ) as message,
    format('alter view %s set (security_invoker = true);', tenant_views.name) as fix
from tenant_views
where tenant_views.kind = 'v'
  and not tenant_views.is_invoker
  and tenant_views.owner_sees_all
  and (
      tenant_views.is_audited
      or exists (
          select 1 from grants
          where grants.relation = tenant_views.oid
      )
  )
