-- A policy that reads a setting.
-- high, fixed by the owner, not for shared tables
-- Any SQL may call set_config(). A policy that believes a setting believes whoever speaks last.
select
    judged_policies.table_name as object,
    judged_policies.part,
    null as role,
    'believes the setting ' || string_agg(distinct settings.found[1], ', ') as message,
    judged_policies.mend as fix
from judged_policies
cross join lateral regexp_matches(
    concat_ws(' ', judged_policies.using_text, judged_policies.check_text), 'current_setting\(([^,:)]*)', 'g'
) as settings (found)
group by judged_policies.table_name, judged_policies.part, judged_policies.mend
