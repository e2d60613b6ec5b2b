"""SECURITY DEFINER functions that nobody calls by name: behind views, defaults, casts and triggers."""

from tests.audit.zoo.defect import GOOD, Defect

PINNED = "security definer set search_path = pg_catalog, pg_temp"
SHARED = """
create table app.countries (code text primary key);
revoke insert, update, delete on app.countries from partywall_worker;
comment on table app.countries is 'partywall: shared, the same for everybody';
"""


def internal(options: str, *, arguments: str = "", before: str = "") -> str:
    """Return a function that the worker may execute, in a schema that no service may use."""
    return f"""
        create schema internal;
        {before}
        create function internal.totals({arguments}) returns integer language sql {options} as 'select 1';
        grant execute on function internal.totals({arguments}) to partywall_worker;
    """


def noted(options: str) -> str:
    """Return a trigger function that no service may execute."""
    return f"""
        create schema internal;
        create function internal.noted() returns trigger language plpgsql {options} as 'begin return new; end';
    """


VIEW = f"""
{GOOD}
create view app.v with (security_invoker) as select id, internal.totals() as totals from app.t;
"""
DEFAULT = f"{GOOD} alter table app.t add column totals integer default internal.totals();"
CODE = "create type internal.code as enum ('a');"
CAST = "create cast (internal.code as integer) with function internal.totals(internal.code);"
ON_TABLE = "create trigger watch after insert on {table} for each row execute function internal.noted();"
INSTEAD = f"""
{GOOD}
create view app.v with (security_invoker) as select id from app.t;
create trigger watch instead of insert on app.v for each row execute function internal.noted();
"""
ELSEWHERE = """
create schema billing;
create table billing.kept (id uuid);
create view billing.v as select * from billing.kept;
grant insert on billing.v to partywall_worker;
"""

DEFECTS = [
    Defect(
        check="definer-executable",
        name="behind a view, in a schema that no service may use",
        plant=internal(PINNED) + VIEW,
        clean=internal("") + VIEW,
        object="internal.totals()",
        role="partywall_worker",
    ),
    Defect(
        check="definer-executable",
        name="as a column's default",
        plant=internal(PINNED) + DEFAULT,
        clean=internal("") + DEFAULT,
        object="internal.totals()",
        role="partywall_worker",
    ),
    Defect(
        check="definer-executable",
        name="as a cast",
        plant=internal(PINNED, arguments="internal.code", before=CODE) + CAST,
        clean=internal("", arguments="internal.code", before=CODE) + CAST,
        object="internal.totals(internal.code)",
        role="partywall_worker",
    ),
    Defect(
        check="definer-trigger",
        name="instead of an insert into a view",
        plant=noted(PINNED) + INSTEAD,
        clean=noted("") + INSTEAD,
        object="app.v",
        part="trigger watch",
    ),
    Defect(
        check="definer-trigger",
        name="on a table that all tenants share",
        plant=noted(PINNED) + SHARED + ON_TABLE.format(table="app.countries"),
        clean=noted("") + SHARED + ON_TABLE.format(table="app.countries"),
        object="app.countries",
        part="trigger watch",
    ),
    Defect(
        check="definer-trigger",
        name="on a table elsewhere that is written through a view",
        plant=noted(PINNED) + ELSEWHERE + ON_TABLE.format(table="billing.kept"),
        clean=noted(PINNED)
        + ELSEWHERE
        + ON_TABLE.format(table="billing.kept")
        + "revoke insert on billing.v from partywall_worker;",
        object="billing.kept",
        part="trigger watch",
    ),
]
