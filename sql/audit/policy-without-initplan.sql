-- A policy that asks for the tenant without a sub-select.
-- medium, fixed by the owner, not for shared tables
-- Asked without a sub-select, the question is asked once per row instead of once per statement: seven times slower.
select
    judged_policies.table_name as object,
    judged_policies.part,
    null as role,
    'asks for the tenant once per row' as message,
    judged_policies.mend as fix
from judged_policies
cross join lateral concat_ws(' ', judged_policies.using_text, judged_policies.check_text) as texts (expression)
where judged_policies.is_bare
   or (texts.expression ~ '(current_setting|current_tenant_id)\(' and texts.expression !~ '\( SELECT ')
