-- Before the files of sql/functions/ are run again: what they grant is all that PUBLIC and the roles of Partywall may
-- execute, also when a grant was taken out of a file. What an adopter's own roles were granted is the adopter's.
do $revoke$
declare
    function regprocedure;
    grantee  text;
begin
    for function, grantee in
        select
            functions.oid,
            case rights.grantee when 0 then 'public' else quote_ident(roles.rolname) end
        from pg_proc as functions
        cross join aclexplode(functions.proacl) as rights
        left join pg_roles as roles on rights.grantee = roles.oid
        where functions.pronamespace in ('partywall'::regnamespace, 'partywall_private'::regnamespace)
          and rights.grantee <> functions.proowner
          and (rights.grantee = 0 or starts_with(roles.rolname::text, 'partywall_'))
    loop
        execute format('revoke execute on routine %s from %s', function, grantee);
    end loop;
end
$revoke$;
