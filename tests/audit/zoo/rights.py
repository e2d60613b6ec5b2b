"""Rights: on tables, schemas, the database, and on what does not exist yet."""

from tests.audit.zoo.defect import GOOD, SUPERUSER, Defect

NUMBERS = "create sequence app.numbers;"

DEFECTS = [
    Defect(
        check="truncate-granted",
        name="to a login",
        plant=f"{GOOD} grant truncate on app.t to partywall_worker;",
        clean=f"{GOOD} grant delete on app.t to partywall_worker;",
        role="partywall_worker",
    ),
    Defect(
        check="truncate-granted",
        name="all of it, to a group",
        plant=f"{SUPERUSER} create role readers; grant readers to partywall_api; set local role partywall_owner;"
        f"{GOOD} grant all on app.t to readers;",
        clean=f"{SUPERUSER} create role readers; grant readers to partywall_api; set local role partywall_owner;"
        f"{GOOD} grant select on app.t to readers;",
        role="partywall_api",
        also=frozenset({("privileges-beyond-rows", "app.t")}),
    ),
    Defect(
        check="privileges-beyond-rows",
        name="REFERENCES on one column",
        plant=f"{GOOD} grant references (id) on app.t to partywall_worker;",
        clean=f"{GOOD} grant select (id) on app.t to partywall_worker;",
        role="partywall_worker",
    ),
    Defect(
        check="privileges-beyond-rows",
        name="TRIGGER",
        plant=f"{GOOD} grant trigger on app.t to partywall_api;",
        clean=f"{GOOD} grant select on app.t to partywall_api;",
        role="partywall_api",
    ),
    Defect(
        check="granted-to-public",
        name="SELECT",
        plant=f"{GOOD} grant select on app.t to public;",
        clean=f"{GOOD} grant select on app.t to partywall_operator;",
    ),
    Defect(
        check="granted-to-public",
        name="SELECT on one column",
        plant=f"{GOOD} grant select (id) on app.t to public;",
        clean=f"{GOOD} grant select (id) on app.t to partywall_operator;",
    ),
    Defect(
        check="sequence-granted",
        name="UPDATE",
        plant=f"{NUMBERS} grant update on sequence app.numbers to partywall_worker;",
        clean=f"{NUMBERS} grant usage on sequence app.numbers to partywall_worker;",
        object="app.numbers",
        role="partywall_worker",
    ),
    Defect(
        check="schema-create-granted",
        name="in the adopter's schema",
        plant="grant create on schema app to partywall_worker;",
        clean="grant usage on schema app to partywall_operator;",
        object="schema app",
        role="partywall_worker",
    ),
    Defect(
        check="schema-create-granted",
        name="in public, as old versions had it",
        plant="grant create on schema public to public;",
        clean="grant usage on schema public to public;",
        object="schema public",
        by=SUPERUSER,
    ),
    Defect(
        check="database-create-granted",
        name="to a login",
        plant="grant create on database {database} to partywall_api;",
        clean="grant connect on database {database} to partywall_api;",
        object="database {database}",
        role="partywall_api",
        by=SUPERUSER,
    ),
    Defect(
        check="temporary-tables-granted",
        name="to PUBLIC, as PostgreSQL does",
        plant="grant temporary on database {database} to public;",
        clean="grant temporary on database {database} to partywall_migrator;",
        object="database {database}",
        by=SUPERUSER,
    ),
    Defect(
        check="connect-granted-to-public",
        name="as PostgreSQL does",
        plant="grant connect on database {database} to public;",
        clean="revoke connect on database {database} from public;",
        object="database {database}",
        by=SUPERUSER,
    ),
    Defect(
        check="private-schema-reachable",
        name="the schema",
        plant="grant usage on schema partywall_private to partywall_worker;",
        clean="grant usage on schema partywall to partywall_worker;",
        object="schema partywall_private",
        role="partywall_worker",
    ),
    Defect(
        check="private-schema-reachable",
        name="the signing keys",
        plant="grant select on partywall_private.signing_keys to partywall_operator;",
        clean="revoke select on partywall_private.signing_keys from partywall_operator;",
        object="partywall_private.signing_keys",
        role="partywall_operator",
    ),
    Defect(
        check="private-schema-reachable",
        name="what signs",
        plant="grant execute on function partywall_private.mint(uuid, text, interval) to public;",
        clean="revoke execute on function partywall_private.mint(uuid, text, interval) from public;",
        object="partywall_private.mint(uuid,text,interval)",
    ),
    Defect(
        check="default-privileges-excessive",
        name="ALL on tables",
        plant="alter default privileges in schema app grant all on tables to partywall_api;",
        clean="alter default privileges in schema app grant select, insert on tables to partywall_api;",
        object="schema app",
        role="partywall_api",
    ),
    Defect(
        check="default-privileges-excessive",
        name="EXECUTE on functions",
        plant="alter default privileges in schema app grant execute on functions to partywall_worker;",
        clean="alter default privileges in schema app grant usage on types to partywall_worker;",
        object="schema app",
        role="partywall_worker",
    ),
    Defect(
        check="default-privileges-excessive",
        name="in every schema, also of another creator",
        plant="create role builder; alter default privileges for role builder grant truncate on tables"
        " to partywall_worker;",
        clean="create role builder; alter default privileges for role builder grant select on tables"
        " to partywall_worker;",
        object="database {database}",
        role="partywall_worker",
        by=SUPERUSER,
    ),
    Defect(
        check="functions-public-by-default",
        name="as PostgreSQL does",
        plant="alter default privileges grant execute on functions to public;",
        clean="alter default privileges revoke execute on functions from public;",
        object="schema app",
    ),
]
