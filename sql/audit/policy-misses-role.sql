-- A login with rights on a table, and no policy for it.
-- medium, fixed by the owner, not for shared tables
-- A login with rights on the table and no policy sees nothing: its statements succeed over zero rows.
select
    tables.name as object,
    null as part,
    grants.login_name as role,
    format('%s may use the table, and no policy is for it', grants.login_name) as message,
    format('select partywall.protect(%L);', tables.name) as fix
from tables
inner join grants on tables.oid = grants.relation
where tables.is_enabled
  and grants.privilege in ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
  and exists (
      select 1 from policies
      where policies.relation = tables.oid
        and policies.is_permissive
  )
  and not exists (
      select 1 from policy_logins
      inner join policies on policy_logins.policy = policies.oid
      where policy_logins.relation = tables.oid
        and policy_logins.login = grants.login
        and policies.is_permissive
  )
group by tables.name, grants.login_name
