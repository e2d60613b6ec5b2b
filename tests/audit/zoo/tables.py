"""Tables: their row-level security, their tenant_id, their owners."""

from tests.audit.zoo.defect import GOOD, OWNER, PROTECT, SUPERUSER, TABLE, Defect

PARTITIONED = """
create table app.t (
    tenant_id  uuid not null default partywall.current_tenant_id(),
    id         uuid not null default partywall.uuid7(),
    day        date not null,
    primary key (tenant_id, id, day)
) partition by range (day);
create table app.t_2026 partition of app.t for values from ('2026-01-01') to ('2027-01-01');
"""
SHARED = "comment on table app.t is 'partywall: shared, the same for everybody';"

ELSEWHERE = """
create schema billing;
create table billing.t (tenant_id uuid not null);
grant select on billing.t to partywall_api;
"""
DECLARED = "comment on schema billing is 'partywall: allow schema-not-audited, another team judges it';"

DEFECTS = [
    Defect(
        check="rls-disabled",
        name="a forgotten protect()",
        plant=TABLE,
        clean=GOOD,
    ),
    Defect(
        check="rls-disabled",
        name="row-level security switched off again",
        plant=f"{GOOD} alter table app.t disable row level security;",
        clean=f"{GOOD} alter table app.t disable row level security; {PROTECT}",
    ),
    Defect(
        check="rls-disabled",
        name="a partitioned table",
        plant=PARTITIONED,
        clean=PARTITIONED + PROTECT,
        also=frozenset({("partition-unprotected", "app.t_2026")}),
    ),
    Defect(
        check="rls-disabled",
        name="a table in another audited schema that no login may use",
        plant="create table app.t (tenant_id uuid not null, primary key (tenant_id));"
        " revoke all on app.t from partywall_worker;",
        clean="create table app.t (tenant_id uuid not null, primary key (tenant_id));"
        f" revoke all on app.t from partywall_worker; {PROTECT}",
    ),
    Defect(
        check="partition-unprotected",
        name="a partition added later",
        plant=PARTITIONED
        + PROTECT
        + "create table app.t_2027 partition of app.t for values from ('2027-01-01') to ('2028-01-01');",
        clean=PARTITIONED
        + "create table app.t_2027 partition of app.t for values from ('2027-01-01') to ('2028-01-01');"
        + PROTECT,
        object="app.t_2027",
    ),
    Defect(
        check="partition-unprotected",
        name="a partition in a schema that is not audited",
        plant=PARTITIONED
        + PROTECT
        + "create schema attic;"
        + "create table attic.t_2027 partition of app.t for values from ('2027-01-01') to ('2028-01-01');",
        clean=PARTITIONED
        + "create schema attic;"
        + "create table attic.t_2027 partition of app.t for values from ('2027-01-01') to ('2028-01-01');"
        + PROTECT,
        object="attic.t_2027",
    ),
    Defect(
        check="partition-unprotected",
        name="an inheriting table",
        plant=GOOD + "create table app.child (primary key (tenant_id, id)) inherits (app.t);",
        clean=TABLE + "create table app.child (primary key (tenant_id, id)) inherits (app.t);" + PROTECT,
        object="app.child",
    ),
    Defect(
        check="rls-not-forced",
        name="no force",
        plant=f"{GOOD} alter table app.t no force row level security;",
        clean=GOOD,
    ),
    Defect(
        check="tenant-column-missing",
        name="a table without tenants",
        plant="create table app.t (id int primary key);",
        clean=f"create table app.t (id int primary key); {SHARED} revoke insert, update, delete on app.t"
        " from partywall_worker;",
    ),
    Defect(
        check="tenant-column-missing",
        name="the right to one column is enough",
        plant="create table app.t (id int primary key); revoke all on app.t from partywall_worker;"
        " grant select (id) on app.t to partywall_dispatcher;",
        clean="create table app.t (id int primary key); revoke all on app.t from partywall_worker;",
    ),
    Defect(
        check="policies-without-rls",
        name="policies on something other than tenant_id that do not hold",
        plant=f"create table app.t (id uuid primary key); {SHARED}"
        " revoke insert, update, delete on app.t from partywall_worker;"
        " create policy own on app.t using (id = (select partywall.current_tenant_id()));",
        clean=f"create table app.t (id uuid primary key); {SHARED}"
        " revoke insert, update, delete on app.t from partywall_worker;",
    ),
    Defect(
        check="no-policy",
        name="row-level security without a policy",
        plant=f"{TABLE} alter table app.t enable row level security; alter table app.t force row level security;",
        clean=GOOD,
    ),
    Defect(
        check="tenant-column-nullable",
        name="tenant_id may be null",
        plant="create table app.t (tenant_id uuid default partywall.current_tenant_id(), body text);"
        f" create index on app.t (tenant_id); {PROTECT} alter table app.t alter column tenant_id drop not null;",
        clean="create table app.t (tenant_id uuid default partywall.current_tenant_id(), body text);"
        f" create index on app.t (tenant_id); {PROTECT}",
        part="column tenant_id",
    ),
    Defect(
        check="tenant-column-not-uuid",
        name="a text",
        plant="create table app.t (tenant_id text not null, primary key (tenant_id));"
        " alter table app.t enable row level security; alter table app.t force row level security;",
        clean="create table app.t (tenant_id uuid not null default partywall.current_tenant_id(),"
        f" primary key (tenant_id)); {PROTECT}",
        part="column tenant_id",
        also=frozenset({("no-policy", "app.t")}),
    ),
    Defect(
        check="tenant-column-default-missing",
        name="no default",
        plant=f"create table app.t (tenant_id uuid not null, primary key (tenant_id)); {PROTECT}",
        clean=f"create table app.t (tenant_id uuid not null, primary key (tenant_id)); {PROTECT}"
        " revoke insert on app.t from partywall_worker;",
        part="column tenant_id",
    ),
    Defect(
        check="table-owner-unsafe",
        name="a superuser's table",
        plant=f"{GOOD} {SUPERUSER} alter table app.t owner to postgres;",
        clean=GOOD,
        object="role postgres",
    ),
    Defect(
        check="table-owner-unsafe",
        name="an owner that can log in",
        plant=f"{SUPERUSER} create role shopkeeper login; {OWNER} {GOOD}"
        f" {SUPERUSER} alter table app.t owner to shopkeeper;",
        clean=f"{SUPERUSER} create role shopkeeper nologin; {OWNER} {GOOD}"
        f" {SUPERUSER} alter table app.t owner to shopkeeper;",
        object="role shopkeeper",
    ),
    Defect(
        check="shared-table-writable",
        name="what default privileges granted",
        plant=f"create table app.t (code text primary key); {SHARED}",
        clean=f"create table app.t (code text primary key); {SHARED}"
        " revoke insert, update, delete on app.t from partywall_worker;",
        role="partywall_worker",
    ),
    Defect(
        check="sequence-in-tenant-table",
        name="an identity column",
        plant="create table app.t (tenant_id uuid not null default partywall.current_tenant_id(),"
        f" id bigint generated always as identity, primary key (tenant_id, id)); {PROTECT}",
        clean=GOOD,
        part="column id",
    ),
    Defect(
        check="sequence-in-tenant-table",
        name="a serial",
        plant="create table app.t (tenant_id uuid not null default partywall.current_tenant_id(),"
        f" id serial, primary key (tenant_id, id)); {PROTECT}",
        clean=GOOD,
        part="column id",
    ),
    Defect(
        check="schema-not-audited",
        name="a table elsewhere that a service uses",
        plant="create schema billing; create table billing.t (id uuid); grant select on billing.t to partywall_api;",
        clean="create schema billing; create table billing.t (id uuid);",
        object="schema billing",
        role="partywall_api",
    ),
    Defect(
        check="schema-not-audited",
        name="a tenant table elsewhere, with row-level security",
        plant=f"{ELSEWHERE} alter table billing.t enable row level security;",
        clean=f"{ELSEWHERE} revoke select on billing.t from partywall_api;",
        object="schema billing",
        role="partywall_api",
    ),
    Defect(
        check="tenant-table-not-audited",
        name="a tenant table elsewhere, without row-level security",
        plant=ELSEWHERE,
        clean=f"{ELSEWHERE} {DECLARED} comment on table billing.t is 'partywall: shared, a list of test tenants';",
        object="billing.t",
        role="partywall_api",
        also=frozenset({("schema-not-audited", "schema billing")}),
    ),
]
