"""Whatever shows a table's rows without being the table: views, rules, foreign tables, publications."""

from tests.audit.zoo.defect import GOOD, OWNER, SUPERUSER, Defect

VIEW = "create view app.v as select * from app.t;"
INVOKER = "create view app.v with (security_invoker = true) as select * from app.t;"
FOREIGN = f"""
{SUPERUSER}
create foreign data wrapper elsewhere;
create server far foreign data wrapper elsewhere;
"""

DEFECTS = [
    Defect(
        check="view-not-invoker",
        name="a plain view",
        plant=f"{GOOD} {VIEW}",
        clean=f"{GOOD} {INVOKER}",
        object="app.v",
    ),
    Defect(
        check="view-not-invoker",
        name="the option was reset",
        plant=f"{GOOD} {INVOKER} alter view app.v reset (security_invoker);",
        clean=f"{GOOD} {VIEW} alter view app.v set (security_invoker = on);",
        object="app.v",
    ),
    Defect(
        check="view-not-invoker",
        name="the lower of two views",
        plant=f"{GOOD} {VIEW} create view app.w with (security_invoker) as select * from app.v;",
        clean=f"{GOOD} {INVOKER} create view app.w with (security_invoker) as select * from app.v;",
        object="app.v",
    ),
    Defect(
        check="view-not-invoker",
        name="the upper of two views",
        plant=f"{GOOD} {INVOKER} create view app.w as select * from app.v;",
        clean=f"{GOOD} {INVOKER} create view app.w with (security_invoker) as select * from app.v;",
        object="app.w",
    ),
    Defect(
        check="view-not-invoker",
        name="in a schema that is not audited, granted to a service",
        plant=f"{GOOD} create schema reports; grant usage on schema reports to partywall_api;"
        " create view reports.v as select * from app.t; grant select on reports.v to partywall_api;",
        clean=f"{GOOD} create schema reports; create view reports.v as select * from app.t;",
        object="reports.v",
    ),
    Defect(
        check="view-owner-bypasses",
        name="a superuser's view",
        plant=f"{GOOD} {VIEW} {SUPERUSER} alter view app.v owner to postgres;",
        clean=f"{GOOD} {INVOKER}",
        object="app.v",
        also=frozenset({("table-owner-unsafe", "role postgres")}),
    ),
    Defect(
        check="view-owner-bypasses",
        name="of the owner of a table that is not forced",
        plant=f"{GOOD} {VIEW} alter table app.t no force row level security;",
        clean=f"{GOOD} {INVOKER}",
        object="app.v",
        also=frozenset({("rls-not-forced", "app.t")}),
    ),
    Defect(
        check="materialized-view-reachable",
        name="of a tenant table",
        plant=f"{GOOD} create materialized view app.v as select * from app.t with no data;",
        clean=f"{GOOD} create materialized view app.v as select * from app.t with no data;"
        " revoke all on app.v from partywall_worker;",
        object="app.v",
        role="partywall_worker",
    ),
    Defect(
        check="materialized-view-reachable",
        name="of anything, because who knows",
        plant="create materialized view app.v as select 1 as one;",
        clean="create materialized view app.v as select 1 as one;"
        " comment on materialized view app.v is 'partywall: shared, a constant';",
        object="app.v",
        role="partywall_worker",
    ),
    Defect(
        check="foreign-table-reachable",
        name="a foreign table",
        plant=f"{FOREIGN} grant usage on foreign server far to partywall_owner; {OWNER}"
        " create foreign table app.f (tenant_id uuid) server far;",
        clean=f"{FOREIGN} grant usage on foreign server far to partywall_owner; {OWNER}"
        " create foreign table app.f (tenant_id uuid) server far; revoke all on app.f from partywall_worker;",
        object="app.f",
        role="partywall_worker",
    ),
    Defect(
        check="foreign-server-usable",
        name="granted to PUBLIC",
        plant=f"{FOREIGN} grant usage on foreign server far to public;",
        clean=FOREIGN,
        object="server far",
    ),
    Defect(
        check="rule-on-table",
        name="a rule that does something else, too",
        plant=f"{GOOD} create rule also as on delete to app.t do also select 1;",
        clean=GOOD,
        part="rule also",
    ),
    Defect(
        check="table-in-publication",
        name="one table",
        plant=f"{GOOD} create publication p for table app.t;",
        clean=f"{GOOD} create publication p;",
        part="publication p",
    ),
    Defect(
        check="table-in-publication",
        name="every table of the schema",
        plant=f"{GOOD} {SUPERUSER} create publication p for tables in schema app;",
        clean=f"{GOOD} {SUPERUSER} create publication p for tables in schema partywall;",
        part="publication p",
        also=frozenset(
            {
                ("table-in-publication", f"app.{name}")
                for name in ("files", "file_chunks", "orders", "rejected_rows", "statements")
            }
        ),
    ),
]
