-- A permissive policy that is `true`, and no restrictive policy beside it.
-- critical, fixed by the owner, not for shared tables
-- A policy that is true for every row lets every tenant read or write everybody's.
select
    judged_policies.table_name as object,
    judged_policies.part,
    null as role,
    format(
        '%s is true for every row, for %s',
        case when judged_policies.using_text = 'true' then 'USING' else 'WITH CHECK' end, judged_policies.login_names
    ) as message,
    judged_policies.mend as fix
from judged_policies
where judged_policies.is_permissive
  and not judged_policies.is_restrained
  and 'true' in (judged_policies.using_text, judged_policies.check_text)
