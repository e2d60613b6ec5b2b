-- The views over tenant tables that one login may read, and the tables they show.
select
    tenant_views.oid,
    tenant_views.name,
    array(
        select view_reads.relation
        from view_reads
        inner join tenant_tables on view_reads.relation = tenant_tables.oid
        where view_reads.view = tenant_views.oid
        order by tenant_tables.name
    ) as tables
from tenant_views
where tenant_views.kind = 'v'
  and exists (
      select 1 from grants
      where grants.relation = tenant_views.oid
        and grants.privilege = 'SELECT'
  )
order by tenant_views.name
