-- The adopter's tables that are not behind the wall: row-level security off or not forced, or one of the two
-- policies missing. A table that all tenants share on purpose says so, with the reason, in its comment:
--     comment on table app.countries is 'partywall: shared, the same for everybody';
select tables.oid::regclass::text as name
from pg_class as tables
where tables.relnamespace = 'app'::regnamespace
  and tables.relkind in ('r', 'p')
  and coalesce(obj_description(tables.oid, 'pg_class'), '') not like 'partywall: shared, %'
  and not (
      tables.relrowsecurity
      and tables.relforcerowsecurity
      and 2 = (
          select count(*)
          from pg_policy as policies
          where policies.polrelid = tables.oid
            and policies.polname in ('tenant_isolation', 'tenant_isolation_always')
      )
  )
order by name
