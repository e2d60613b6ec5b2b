-- A service's login has REFERENCES, TRIGGER or MAINTAIN.
-- high, fixed by the owner
-- REFERENCES tells which values exist, TRIGGER attaches code that runs for every tenant, MAINTAIN locks everybody out.
select
    relations.name as object,
    null as part,
    case when count(distinct grants.login) = 1 then min(grants.login_name) end as role,
    format(
        '%s granted to %s', string_agg(distinct grants.privilege, ', '), string_agg(distinct grants.reached, ', ')
    ) as message,
    format(
        'revoke %s on %s from %s;',
        string_agg(distinct lower(grants.privilege), ', '),
        relations.name,
        string_agg(distinct grants.grantee_name, ', ')
    ) as fix
from relations
inner join grants on relations.oid = grants.relation
where relations.is_audited
  and relations.kind <> 'S'
  and grants.privilege in ('REFERENCES', 'TRIGGER', 'MAINTAIN')
group by relations.name
