-- The functions that this code ships, from its own files: what stands in the database could be altered with them.
-- Nothing where there is no platform.
select
    shipped.path,
    shipped.schema,
    shipped.name,
    shipped.volatility,
    shipped.parallel,
    shipped.is_definer,
    shipped.is_strict,
    shipped.is_leakproof,
    shipped.settings,
    shipped.body_sha256,
    shipped.is_parsed,
    spelled.arguments
from jsonb_to_recordset(cast(:shipped_functions as jsonb)) as shipped (
    path text,
    schema text,
    name text,
    arguments text[],
    volatility text,
    parallel text,
    is_definer boolean,
    is_strict boolean,
    is_leakproof boolean,
    settings text[],
    body_sha256 text,
    is_parsed boolean
)
cross join lateral (
    -- As the catalog spells types: a file may say timestamptz.
    select coalesce(string_agg(format_type(to_regtype(types.name), null), ', ' order by types.place), '') as arguments
    from unnest(shipped.arguments) with ordinality as types (name, place)
) as spelled
where to_regnamespace('partywall') is not null
