-- Functions and procedures of the schemas that are looked at. One that is bound looks no name up while it runs: its
-- body was parsed when it was created, or is compiled.
select
    routines.oid,
    routines.proowner as owner,
    routines.prosecdef as is_definer,
    routines.proleakproof as is_leakproof,
    routines.proconfig as settings,
    routines.prolang as language,
    routines.prorettype as returns,
    routines.prosqlbody is not null or languages.lanname in ('c', 'internal') as is_bound,
    schemas.oid as schema,
    schemas.name as schema_name,
    routines.oid::regprocedure::text as name,
    case routines.prokind when 'p' then 'procedure' else 'function' end as kind,
    coalesce(routines.proacl, acldefault('f', routines.proowner)) as acl
from pg_catalog.pg_proc as routines
inner join schemas on routines.pronamespace = schemas.oid
inner join pg_catalog.pg_language as languages on routines.prolang = languages.oid
