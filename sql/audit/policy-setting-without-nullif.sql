-- A policy that reads a setting and takes the empty string for a value.
-- medium, fixed by the owner, not for shared tables
-- After a transaction that set it, a setting is the empty string, not null: a cast of it fails, and as text it is a
-- tenant.
select
    judged_policies.table_name as object,
    judged_policies.part,
    null as role,
    'reads a setting without NULLIF' as message,
    judged_policies.mend as fix
from judged_policies
where concat_ws(' ', judged_policies.using_text, judged_policies.check_text) ~ 'current_setting\('
  and concat_ws(' ', judged_policies.using_text, judged_policies.check_text) !~ 'NULLIF\('
