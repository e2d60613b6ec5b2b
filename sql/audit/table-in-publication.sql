-- A tenant table in a publication.
-- medium, fixed by hand, not for shared tables
-- Logical replication does not ask policies: a subscriber receives every tenant's rows.
select
    tenant_tables.name as object,
    'publication ' || published.pubname as part,
    null as role,
    'is published by ' || published.pubname as message,
    case
        when listed.oid is not null
            then format('alter publication %I drop table %s;', published.pubname, tenant_tables.name)
    end as fix
from pg_catalog.pg_publication_tables as published
inner join pg_catalog.pg_publication as publications on published.pubname = publications.pubname
inner join tenant_tables on tenant_tables.name = format('%I.%I', published.schemaname, published.tablename)
left join pg_catalog.pg_publication_rel as listed
    on publications.oid = listed.prpubid
    and tenant_tables.oid = listed.prrelid
