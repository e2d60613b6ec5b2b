-- Comments that speak to us, by the object that they are about and, if they are about a part of it, which.
select
    relations.name as object,
    described.description as comment,
    case when described.objsubid > 0 then 'column ' || columns.attname end as part
from pg_catalog.pg_description as described
inner join relations on described.objoid = relations.oid
left join pg_catalog.pg_attribute as columns
    on relations.oid = columns.attrelid
    and described.objsubid = columns.attnum
where described.classoid = 'pg_catalog.pg_class'::regclass
  and (relations.is_audited or relations.oid in (select stray_tables.oid from stray_tables))
  and described.description like '%partywall:%'
union all
select
    relations.name as object,
    described.description as comment,
    parts.part
from (
    select
        'pg_catalog.pg_class'::regclass as catalog,
        indexes.indexrelid as oid,
        indexes.indrelid as relation,
        'index ' || classes.relname as part
    from pg_catalog.pg_index as indexes
    inner join pg_catalog.pg_class as classes on indexes.indexrelid = classes.oid
    union all
    select
        'pg_catalog.pg_constraint'::regclass as catalog,
        constraints.oid,
        constraints.conrelid as relation,
        'constraint ' || constraints.conname as part
    from pg_catalog.pg_constraint as constraints
    union all
    select
        'pg_catalog.pg_policy'::regclass as catalog,
        policies.oid,
        policies.polrelid as relation,
        'policy ' || policies.polname as part
    from pg_catalog.pg_policy as policies
    union all
    select
        'pg_catalog.pg_trigger'::regclass as catalog,
        triggers.oid,
        triggers.tgrelid as relation,
        'trigger ' || triggers.tgname as part
    from pg_catalog.pg_trigger as triggers
    union all
    select
        'pg_catalog.pg_rewrite'::regclass as catalog,
        rules.oid,
        rules.ev_class as relation,
        'rule ' || rules.rulename as part
    from pg_catalog.pg_rewrite as rules
) as parts
inner join relations on parts.relation = relations.oid
inner join pg_catalog.pg_description as described
    on parts.oid = described.objoid
    and parts.catalog = described.classoid
    and described.objsubid = 0
where relations.is_audited
  and described.description like '%partywall:%'
union all
select
    functions.name as object,
    described.description as comment,
    null as part
from pg_catalog.pg_description as described
inner join functions on described.objoid = functions.oid
where described.classoid = 'pg_catalog.pg_proc'::regclass
  and described.description like '%partywall:%'
union all
select
    named.object,
    described.description as comment,
    null as part
from (
    select
        'pg_catalog.pg_namespace'::regclass as catalog,
        namespaces.oid,
        'schema ' || namespaces.nspname as object
    from pg_catalog.pg_namespace as namespaces
    union all
    select
        'pg_catalog.pg_language'::regclass as catalog,
        languages.oid,
        'language ' || languages.lanname as object
    from pg_catalog.pg_language as languages
    union all
    select
        'pg_catalog.pg_foreign_server'::regclass as catalog,
        servers.oid,
        'server ' || servers.srvname as object
    from pg_catalog.pg_foreign_server as servers
) as named
inner join pg_catalog.pg_description as described
    on named.oid = described.objoid
    and named.catalog = described.classoid
    and described.objsubid = 0
where described.description like '%partywall:%'
union all
select
    shared.object,
    described.description as comment,
    null as part
from (
    select
        'pg_catalog.pg_authid'::regclass as catalog,
        roles.oid,
        'role ' || roles.rolname as object
    from pg_catalog.pg_roles as roles
    union all
    select
        'pg_catalog.pg_database'::regclass as catalog,
        databases.oid,
        'database ' || databases.datname as object
    from pg_catalog.pg_database as databases
    where databases.datname = current_database()
) as shared
inner join pg_catalog.pg_shdescription as described
    on shared.oid = described.objoid
    and shared.catalog = described.classoid
where described.description like '%partywall:%'
