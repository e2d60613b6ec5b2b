-- The functions in the platform's own schemas, as the catalog has them, in the words of shipped_functions.
select
    routines.oid,
    namespaces.nspname::text as schema,
    routines.proname::text as name,
    routines.prosecdef as is_definer,
    routines.proisstrict as is_strict,
    routines.proleakproof as is_leakproof,
    routines.oid::regprocedure::text as signature,
    oidvectortypes(routines.proargtypes) as arguments,
    case routines.provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end as volatility,
    case routines.proparallel when 's' then 'safe' when 'r' then 'restricted' else 'unsafe' end as parallel,
    coalesce(routines.proconfig, '{}') as settings,
    encode(sha256(convert_to(routines.prosrc, 'UTF8')), 'hex') as body_sha256,
    routines.prosqlbody is not null as is_parsed,
    routines.proowner = to_regrole('partywall_owner') as is_owners,
    -- PostgreSQL prints a parsed body in each version differently. But ours name nothing that is not PostgreSQL's own,
    -- and whatever else one names is a dependency.
    exists(
        select 1 from pg_catalog.pg_depend as uses
        where uses.classid = 'pg_catalog.pg_proc'::regclass
          and uses.objid = routines.oid
          and uses.refclassid <> 'pg_catalog.pg_namespace'::regclass
    ) as has_strangers
from pg_catalog.pg_proc as routines
inner join pg_catalog.pg_namespace as namespaces on routines.pronamespace = namespaces.oid
where namespaces.nspname in ('partywall', 'partywall_private')
