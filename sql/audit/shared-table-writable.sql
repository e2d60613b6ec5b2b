-- A service's login may write into a table that all tenants share.
-- medium, fixed by the owner
-- What one tenant's job writes into a table without tenants, every other tenant reads.
select
    tables.name as object,
    null as part,
    case when count(distinct grants.login) = 1 then min(grants.login_name) end as role,
    'is shared by all tenants, and may be written by ' || string_agg(distinct grants.reached, ', ') as message,
    format(
        'revoke insert, update, delete on %s from %s;', tables.name, string_agg(distinct grants.grantee_name, ', ')
    ) as fix
from tables
inner join grants on tables.oid = grants.relation
inner join comments on tables.name = comments.object
where tables.tenant_column is null
  and comments.part is null
  and comments.comment ~ '(^|\n)\s*partywall:\s*shared\s*,'
  and grants.privilege in ('INSERT', 'UPDATE', 'DELETE')
group by tables.name
