-- Where objects are looked at. Tables are judged in the audited schemas only; a view or a function may lead to them
-- from anywhere else. The platform's own schemas are judged when they are asked for.
select
    namespaces.oid,
    namespaces.nspname::text as name,
    namespaces.nspowner as owner,
    namespaces.nspname = any(:schemas) as is_audited,
    coalesce(namespaces.nspacl, acldefault('n', namespaces.nspowner)) as acl
from pg_catalog.pg_namespace as namespaces
where namespaces.nspname = any(:schemas)
   or (
       not starts_with(namespaces.nspname::text, 'pg_')
       and namespaces.nspname not in ('information_schema', 'partywall', 'partywall_private', 'partywall_guard')
   )
