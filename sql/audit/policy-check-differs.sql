-- A policy whose WITH CHECK is not its USING.
-- high, fixed by the owner, not for shared tables
-- What may be written must be what may be read. With a wider WITH CHECK an UPDATE without WHERE hands rows to another
-- tenant.
select
    judged_policies.table_name as object,
    judged_policies.part,
    null as role,
    format('USING %s, but WITH CHECK %s', judged_policies.using_text, judged_policies.check_text) as message,
    judged_policies.mend as fix
from judged_policies
where judged_policies.using_text <> judged_policies.check_text
  and 'true' not in (judged_policies.using_text, judged_policies.check_text)
