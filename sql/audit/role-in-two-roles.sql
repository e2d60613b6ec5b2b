-- A login that is, or can become, two of the logins that are judged.
-- critical, fixed by a superuser
-- What is safe for one role is not for two: the dispatcher sees every tenant's jobs because it cannot see a payload.
select
    'role ' || roles.rolname as object,
    null as part,
    roles.rolname::text as role,
    'is ' || string_agg(distinct logins.name, ' and ') as message,
    string_agg(distinct format('revoke %I from %s;', logins.name, holders.via::regrole), ' ')
    filter (where holders.via is not null) as fix
from holders
inner join logins on holders.login = logins.oid
inner join pg_catalog.pg_roles as roles on holders.holder = roles.oid
where roles.rolcanlogin
  and not roles.rolsuper
group by roles.rolname
having count(distinct logins.oid) > 1
