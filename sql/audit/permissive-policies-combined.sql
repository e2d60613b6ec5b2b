-- Several permissive policies for one login and one command.
-- medium, fixed by hand, not for shared tables
-- Permissive policies are combined with OR: the widest of them decides.
select
    tables.name as object,
    null as part,
    case when count(distinct combined.login) = 1 then min(combined.login_name) end as role,
    format('for %s any of these is enough: %s', string_agg(distinct combined.login_name, ', '), combined.names)
    as message,
    combined.mend as fix
from (
    select
        policies.relation,
        policy_logins.login,
        policy_logins.login_name,
        commands.command,
        string_agg(policies.name, ', ' order by policies.name) as names,
        string_agg(
            format('drop policy %I on %s;', policies.name, policies.relation::regclass), ' ' order by policies.name
        ) filter (where policies.name <> 'tenant_isolation') as mend
    from policies
    inner join policy_logins on policies.oid = policy_logins.policy
    cross join (values ('r'), ('a'), ('w'), ('d')) as commands (command)
    where policies.is_permissive
      and policies.command in ('*', commands.command)
    group by policies.relation, policy_logins.login, policy_logins.login_name, commands.command
    having count(*) > 1
) as combined
inner join tables on combined.relation = tables.oid
group by tables.name, combined.names, combined.mend
