-- Views and materialized views that show rows of tenants' tables.
select
    views.oid,
    views.name,
    views.kind,
    views.owner,
    views.is_audited,
    string_agg(distinct tenant_tables.name, ', ') as shows,
    coalesce(bool_or(owners.rolsuper or owners.rolbypassrls), false)
    or coalesce(bool_or(tenant_tables.owner = views.owner and not tenant_tables.is_forced), false) as owner_sees_all,
    coalesce(
        (
            select options.option_value::boolean
            from pg_options_to_table(views.options) as options
            where options.option_name = 'security_invoker'
        ),
        false
    ) as is_invoker
from view_reads
inner join relations as views on view_reads.view = views.oid
inner join tenant_tables on view_reads.relation = tenant_tables.oid
inner join pg_catalog.pg_roles as owners on views.owner = owners.oid
group by views.oid, views.name, views.kind, views.owner, views.is_audited, views.options
