-- What each login can become: itself, and every role it was given, however far away, inherited or not, because
-- SET ROLE needs no inheritance. Walked by hand: pg_has_role() says of a superuser that it is everybody.
select
    logins.oid as login,
    logins.oid as role
from logins
union
select
    memberships.login,
    given.role
from memberships
inner join (
    select
        grants.member,
        grants.roleid as role
    from pg_catalog.pg_auth_members as grants
    union all
    select
        databases.datdba as member,
        'pg_database_owner'::regrole::oid as role
    from pg_catalog.pg_database as databases
    where databases.datname = current_database()
) as given on memberships.role = given.member
