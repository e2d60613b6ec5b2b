-- A permissive policy without the restrictive one beside it.
-- high, fixed by the owner, not for shared tables
-- The restrictive twin keeps a second permissive policy, added one day by mistake, from opening the table.
select
    tables.name as object,
    policies.part,
    case when count(distinct policy_logins.login) = 1 then min(policy_logins.login_name) end as role,
    format(
        'lets %s in, and no restrictive policy stands beside it', string_agg(distinct policy_logins.login_name, ', ')
    ) as message,
    tables.protect as fix
from policy_logins
inner join policies on policy_logins.policy = policies.oid
inner join tables on policy_logins.relation = tables.oid
where tables.is_enabled
  and policies.is_permissive
  and not policy_logins.is_restrained
group by tables.name, tables.protect, policies.part
