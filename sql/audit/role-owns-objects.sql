-- A login that owns, or can become the owner of, a table, function, schema or the database.
-- critical, fixed by a superuser
-- An owner turns row-level security off, drops policies and grants itself what it likes. A login that can become one
-- can, too.
select
    'role ' || logins.name as object,
    null as part,
    logins.name as role,
    format(
        case when owned.owner = logins.oid then 'owns %2$s' else 'can become %1$s, which owns %2$s' end,
        owned.owner::regrole,
        string_agg(owned.what, ', ' order by owned.what)
    ) as message,
    case
        when owned.owner = logins.oid then format('reassign owned by %I to partywall_owner;', logins.name)
        else edges.mend
    end as fix
from memberships
inner join logins on memberships.login = logins.oid
inner join (
    select
        relations.owner,
        case when count(*) = 1 then min(relations.name) else count(*) || ' relations' end as what
    from relations
    where relations.is_audited
    group by relations.owner
    union all
    select
        functions.owner,
        case when count(*) = 1 then min(functions.name) else count(*) || ' functions' end as what
    from functions
    group by functions.owner
    union all
    select
        schemas.owner,
        'the schema ' || schemas.name as what
    from schemas
    union all
    select
        databases.datdba as owner,
        'the database ' || databases.datname as what
    from pg_catalog.pg_database as databases
    where databases.datname = current_database()
) as owned on memberships.role = owned.owner
left join edges
    on memberships.login = edges.login
    and memberships.role = edges.role
where not logins.migrates
group by logins.oid, logins.name, owned.owner, edges.mend
