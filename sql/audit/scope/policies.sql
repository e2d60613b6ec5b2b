-- Every policy of the judged tables, and whether it says what partywall.protect() writes. The text alone could be had
-- with a function or an operator of the same name in another schema; what a policy depends on cannot be faked.
select
    stored.oid,
    stored.polrelid as relation,
    stored.polname::text as name,
    'policy ' || stored.polname as part,
    stored.polpermissive as is_permissive,
    stored.polcmd as command,
    stored.polroles as roles,
    spelled.using_text,
    spelled.check_text,
    coalesce(judged.is_canonical and not judged.has_strangers, false) as is_canonical,
    coalesce(judged.is_bare and not judged.has_strangers, false) as is_bare,
    case
        when stored.polname in ('tenant_isolation', 'tenant_isolation_always') then tables.protect
        when tables.is_protectable
            then format('drop policy %I on %s; %s', stored.polname, tables.name, tables.protect)
        else format('drop policy %I on %s;', stored.polname, tables.name)
    end as mend
from pg_catalog.pg_policy as stored
inner join tables on stored.polrelid = tables.oid
cross join lateral (
    select
        pg_get_expr(stored.polqual, stored.polrelid) as using_text,
        pg_get_expr(stored.polwithcheck, stored.polrelid) as check_text
) as spelled
cross join lateral (
    select
        bool_and(
            replace(texts.expression, 'partywall.', '')
            = '(tenant_id = ( SELECT current_tenant_id() AS current_tenant_id))'
        ) as is_canonical,
        bool_and(replace(texts.expression, 'partywall.', '') = '(tenant_id = current_tenant_id())') as is_bare,
        exists(
            select 1 from pg_catalog.pg_depend as uses
            where uses.classid = 'pg_catalog.pg_policy'::regclass
              and uses.objid = stored.oid
              and uses.refclassid in (
                  'pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_operator'::regclass, 'pg_catalog.pg_type'::regclass
              )
              and uses.refobjid not in (select tenant_function.oid from tenant_function)
        ) as has_strangers
    from (values (spelled.using_text), (spelled.check_text)) as texts (expression)
    where texts.expression is not null
) as judged
