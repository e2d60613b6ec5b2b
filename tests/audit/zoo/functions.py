"""Functions: those that act as somebody else, and those that look where they should not."""

from tests.audit.zoo.defect import GOOD, SUPERUSER, Defect

PINNED = "security definer set search_path = pg_catalog, pg_temp"


def function(options: str, *, arguments: str = "", grant: str = "") -> str:
    """Return a function that nobody may execute, unless it is granted."""
    made = f"create function app.f({arguments}) returns integer language sql {options} as 'select 1';"
    return made + (f" grant execute on function app.f({arguments}) to {grant};" if grant else "")


TRIGGER = """
create function app.noted() returns trigger language plpgsql {options} as 'begin return null; end';
create trigger watch after insert on app.t for each row execute function app.noted();
"""

LANGUAGES = f"""
{SUPERUSER}
create function public.handle() returns language_handler language c as '$libdir/plpgsql', 'plpgsql_call_handler';
create language plevil handler public.handle;
create trusted language plgood handler public.handle;
"""

DEFECTS = [
    Defect(
        check="definer-executable",
        name="by PUBLIC",
        plant=function(PINNED, grant="public"),
        clean=function(PINNED),
        object="app.f()",
    ),
    Defect(
        check="definer-executable",
        name="by one login",
        plant=function(PINNED, arguments="a integer, b text", grant="partywall_scheduler")
        + "grant usage on schema app to partywall_scheduler;",
        clean=function("", arguments="a integer, b text", grant="partywall_scheduler")
        + function(PINNED, arguments="integer")
        + "grant usage on schema app to partywall_scheduler;",
        object="app.f(integer,text)",
        role="partywall_scheduler",
    ),
    Defect(
        check="definer-executable",
        name="through a group",
        plant=f"{SUPERUSER} create role helpers; grant helpers to partywall_api;"
        " set local role partywall_owner;" + function(PINNED, grant="helpers"),
        clean=f"{SUPERUSER} create role helpers; grant helpers to partywall_api;"
        " set local role partywall_owner;" + function("", grant="helpers"),
        object="app.f()",
        role="partywall_api",
    ),
    Defect(
        check="definer-executable",
        name="a procedure in another schema",
        plant="create schema tools; grant usage on schema tools to partywall_worker;"
        f" create procedure tools.p() language plpgsql {PINNED} as 'begin end';"
        " grant execute on procedure tools.p() to partywall_worker;",
        clean="create schema tools; grant usage on schema tools to partywall_worker;"
        f" create procedure tools.p() language plpgsql {PINNED} as 'begin end';",
        object="tools.p()",
        role="partywall_worker",
    ),
    Defect(
        check="definer-search-path",
        name="none",
        plant=function("security definer"),
        clean="create function app.f() returns integer language sql security definer begin atomic select 1; end;"
        + function(PINNED, arguments="integer"),
        object="app.f()",
    ),
    Defect(
        check="definer-search-path-open",
        name="pg_temp is not named, so it comes first",
        plant=function("security definer set search_path = pg_catalog, app"),
        clean=function("security definer set search_path = pg_catalog, app, pg_temp"),
        object="app.f()",
    ),
    Defect(
        check="definer-search-path-open",
        name="the caller's own schema",
        plant=function('security definer set search_path = "$user", pg_temp'),
        clean=function("set search_path = app"),
        object="app.f()",
    ),
    Defect(
        check="definer-trigger",
        name="after every insert",
        plant=GOOD + TRIGGER.format(options=PINNED),
        clean=GOOD + TRIGGER.format(options=""),
        part="trigger watch",
    ),
    Defect(
        check="function-sets-context",
        name="row_security",
        plant=function("set row_security = off"),
        clean=function("set work_mem = '8MB'"),
        object="app.f()",
    ),
    Defect(
        check="function-sets-context",
        name="the tenant's token",
        plant=SUPERUSER
        + function("set partywall.token = 'pw1.1.x.y.z'")
        + "revoke execute on function app.f() from public;",
        clean=function(""),
        object="app.f()",
    ),
    Defect(
        check="leakproof-function",
        name="a user's own",
        plant=SUPERUSER + function("leakproof") + " revoke execute on function app.f() from public;",
        clean=SUPERUSER + function("") + " revoke execute on function app.f() from public;",
        object="app.f()",
    ),
    Defect(
        check="untrusted-language-function",
        name="that a login may call",
        plant=LANGUAGES + "create function app.f() returns integer language plevil as 'whatever';",
        clean=LANGUAGES
        + "create function app.f() returns integer language plgood as 'whatever';"
        + "create function app.g() returns integer language plevil as 'whatever';"
        + "revoke execute on function app.g() from public;",
        object="app.f()",
    ),
    Defect(
        check="server-functions-executable",
        name="reading files",
        plant=f"{SUPERUSER} grant execute on function pg_read_file(text) to partywall_worker;",
        clean=f"{SUPERUSER} grant execute on function pg_read_file(text) to partywall_owner;",
        object="database {database}",
        role="partywall_worker",
    ),
    Defect(
        check="side-channel-functions-executable",
        name="ending other sessions",
        plant=f"{SUPERUSER} grant execute on function pg_terminate_backend(integer, bigint) to public;",
        clean=f"{SUPERUSER} grant execute on function pg_terminate_backend(integer, bigint) to partywall_owner;",
        object="database {database}",
    ),
    Defect(
        check="side-channel-functions-executable",
        name="large objects",
        plant=f"{SUPERUSER} grant execute on function lo_creat(integer) to partywall_api;",
        clean=f"{SUPERUSER} grant execute on function lo_creat(integer) to partywall_owner;",
        object="database {database}",
        role="partywall_api",
    ),
    Defect(
        check="side-channel-functions-executable",
        name="locks by number",
        plant=f"{SUPERUSER} grant execute on function pg_advisory_lock(bigint) to partywall_worker;",
        clean=f"{SUPERUSER} grant execute on function pg_advisory_lock(bigint) to partywall_owner;",
        object="database {database}",
        role="partywall_worker",
    ),
    Defect(
        check="side-channel-functions-executable",
        name="locks by number, if they are free",
        plant=f"{SUPERUSER} grant execute on function pg_try_advisory_xact_lock_shared(integer, integer) to public;",
        clean=f"{SUPERUSER} grant execute on function pg_try_advisory_lock(bigint) to partywall_migrator;",
        object="database {database}",
    ),
    Defect(
        check="statement-texts-readable",
        name="by everybody",
        plant=f"{SUPERUSER} create view public.pg_stat_statements as select 1 as query;"
        " grant select on public.pg_stat_statements to public;",
        clean=f"{SUPERUSER} create view public.pg_stat_statements as select 1 as query;",
        object="public.pg_stat_statements",
    ),
]
