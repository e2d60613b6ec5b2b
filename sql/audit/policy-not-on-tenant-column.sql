-- A permissive policy that does not look at tenant_id, and no restrictive policy beside it.
-- critical, fixed by the owner, not for shared tables
-- A policy that does not look at tenant_id decides by something that other tenants' rows may have, too.
select
    judged_policies.table_name as object,
    judged_policies.part,
    null as role,
    format('does not look at tenant_id, for %s: %s', judged_policies.login_names, texts.expression) as message,
    judged_policies.mend as fix
from judged_policies
cross join lateral (
    select min(spelled.expression) as expression
    from (values (judged_policies.using_text), (judged_policies.check_text)) as spelled (expression)
    where spelled.expression !~ '\ytenant_id\y'
      and spelled.expression <> 'true'
) as texts
where judged_policies.is_permissive
  and not judged_policies.is_restrained
  and texts.expression is not null
