-- A policy that says something else than partywall.protect() writes.
-- high, fixed by the owner, not for shared tables
-- Only the expression that partywall.protect() writes is known to be right. Any other is one that somebody has to
-- prove.
select
    judged_policies.table_name as object,
    judged_policies.part,
    null as role,
    format(
        'for %s: %s',
        judged_policies.login_names,
        coalesce(
            'USING ' || judged_policies.using_text, 'WITH CHECK ' || judged_policies.check_text, 'says nothing'
        )
    ) as message,
    judged_policies.mend as fix
from judged_policies
where not judged_policies.is_canonical
  and not judged_policies.is_bare
