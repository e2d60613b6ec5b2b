-- What is created later is granted more than reading and writing rows.
-- high, fixed by the owner
-- What is created tomorrow is granted by itself: TRUNCATE or TRIGGER on every new table, EXECUTE on every new
-- function.
select
    coalesce('schema ' || namespaces.nspname, 'database ' || current_database()) as object,
    null as part,
    case when count(distinct grantees.login) = 1 then min(grantees.login_name) end as role,
    format(
        'what %s creates: %s on %s is granted to %s',
        defaults.defaclrole::regrole,
        string_agg(distinct rights.privilege_type, ', '),
        kinds.name,
        string_agg(distinct grantees.reached, ', ')
    ) as message,
    format(
        'alter default privileges for role %s%s revoke %s on %s from %s;',
        defaults.defaclrole::regrole,
        ' in schema ' || quote_ident(namespaces.nspname),
        string_agg(distinct lower(rights.privilege_type), ', '),
        kinds.name,
        string_agg(distinct grantees.grantee_name, ', ')
    ) as fix
from pg_catalog.pg_default_acl as defaults
inner join (
    values
    ('r', 'tables', array['TRUNCATE', 'REFERENCES', 'TRIGGER', 'MAINTAIN']),
    ('S', 'sequences', array['SELECT', 'UPDATE']),
    ('f', 'functions', array['EXECUTE']),
    ('n', 'schemas', array['CREATE']),
    ('L', 'large objects', array['SELECT', 'UPDATE'])
) as kinds (kind, name, excessive) on defaults.defaclobjtype::text = kinds.kind
cross join lateral aclexplode(defaults.defaclacl) as rights
inner join grantees on rights.grantee = grantees.grantee
left join pg_catalog.pg_namespace as namespaces on defaults.defaclnamespace = namespaces.oid
left join schemas on defaults.defaclnamespace = schemas.oid
where rights.privilege_type = any(kinds.excessive)
  and rights.grantee <> defaults.defaclrole
  and (defaults.defaclnamespace = 0 or schemas.is_audited)
  -- PUBLIC's right to execute new functions is a default of PostgreSQL's own: see functions-public-by-default.
  and not (defaults.defaclnamespace = 0 and defaults.defaclobjtype = 'f' and rights.grantee = 0)
group by defaults.defaclrole, namespaces.nspname, kinds.name
