-- A rule on a tenant table.
-- high, fixed by hand, not for shared tables
-- What a rule makes of a statement runs with the rights of the table's owner, and no policy is asked in whose name.
select
    tenant_tables.name as object,
    'rule ' || rules.rulename as part,
    null as role,
    'has the rule ' || rules.rulename as message,
    format('drop rule %I on %s;', rules.rulename, tenant_tables.name) as fix
from tenant_tables
inner join pg_catalog.pg_rewrite as rules on tenant_tables.oid = rules.ev_class
where rules.rulename <> '_RETURN'
