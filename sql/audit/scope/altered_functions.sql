-- The platform's functions that are not as this code ships them, and what of each is different.
select
    shipped_functions.path,
    coalesce(
        platform_functions.signature,
        format(
            '%s.%s(%s)',
            shipped_functions.schema, shipped_functions.name, replace(shipped_functions.arguments, ', ', ',')
        )
    ) as signature,
    platform_functions.oid is null as is_missing,
    differences.what
from shipped_functions
left join platform_functions
    on shipped_functions.schema = platform_functions.schema
    and shipped_functions.name = platform_functions.name
    and shipped_functions.arguments = platform_functions.arguments
cross join lateral (
    select
        concat_ws(
            ', ',
            case
                when platform_functions.body_sha256 <> shipped_functions.body_sha256
                    or platform_functions.is_parsed <> shipped_functions.is_parsed
                    or platform_functions.is_parsed and platform_functions.has_strangers
                    then 'its body'
            end,
            case when not platform_functions.is_owners then 'its owner' end,
            case when platform_functions.is_definer <> shipped_functions.is_definer then 'in whose name it runs' end,
            case when platform_functions.settings <> shipped_functions.settings then 'its settings' end,
            case when platform_functions.volatility <> shipped_functions.volatility then 'its volatility' end,
            case when platform_functions.parallel <> shipped_functions.parallel then 'its parallel safety' end,
            case when platform_functions.is_strict <> shipped_functions.is_strict then 'what it does with null' end,
            case when platform_functions.is_leakproof <> shipped_functions.is_leakproof then 'its leakproofness' end
        ) as what
) as differences
where platform_functions.oid is null
   or differences.what <> ''
