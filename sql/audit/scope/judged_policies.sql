-- The policies that decide for at least one login that serves tenants.
select
    policies.oid,
    policies.name,
    policies.part,
    policies.is_permissive,
    policies.command,
    policies.using_text,
    policies.check_text,
    policies.is_canonical,
    policies.is_bare,
    policies.mend,
    tables.name as table_name,
    deciding.is_restrained,
    deciding.login_names
from policies
inner join tables on policies.relation = tables.oid
inner join (
    select
        policy_logins.policy,
        bool_and(policy_logins.is_restrained) as is_restrained,
        string_agg(distinct policy_logins.login_name, ', ') as login_names
    from policy_logins
    group by policy_logins.policy
) as deciding on policies.oid = deciding.policy
where tables.is_enabled
