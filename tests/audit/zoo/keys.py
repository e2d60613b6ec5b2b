"""Keys and indexes: what they tell one tenant about another, and what they are good for under row-level security."""

from tests.audit.zoo.defect import GOOD, PROTECT, Defect

TENANT = "tenant_id uuid not null default partywall.current_tenant_id()"
CHILD = f"{GOOD} create table app.child ({TENANT}, id uuid not null, t_id uuid, primary key (tenant_id, id), "


def child(key: str, more: str = "") -> str:
    """Return a second table with a foreign key."""
    return f"{CHILD} {key}); {more} select partywall.protect('app.child');"


def table(columns: str, more: str = "") -> str:
    """Return one protected table."""
    return f"create table app.t ({TENANT}, {columns}); {more} {PROTECT}"


DEFECTS = [
    Defect(
        check="foreign-key-without-tenant",
        name="to an id alone",
        plant=f"{GOOD} alter table app.t add constraint t_id_alone unique (id);"
        + CHILD.removeprefix(GOOD)
        + "constraint child_of_t foreign key (t_id) references app.t (id)); select partywall.protect('app.child');",
        clean=child("constraint child_of_t foreign key (tenant_id, t_id) references app.t (tenant_id, id)"),
        object="app.child",
        part="constraint child_of_t",
        also=frozenset({("unique-without-tenant", "app.t")}),
    ),
    Defect(
        check="foreign-key-without-tenant",
        name="crosswise: my tenant to their id, my id to their tenant",
        plant=child("constraint child_of_t foreign key (t_id, tenant_id) references app.t (tenant_id, id)"),
        clean=child("constraint child_of_t foreign key (t_id, tenant_id) references app.t (id, tenant_id)").replace(
            "create table app.child", "alter table app.t add unique (id, tenant_id); create table app.child"
        ),
        object="app.child",
        part="constraint child_of_t",
    ),
    Defect(
        check="foreign-key-without-tenant",
        name="from a table that all share",
        plant=f"{GOOD} alter table app.t add constraint t_id_alone unique (id);"
        " create table app.child (t_id uuid, constraint child_of_t foreign key (t_id) references app.t (id));"
        " revoke all on app.child from partywall_worker;",
        clean=f"{GOOD} create table app.child (t_id uuid); revoke all on app.child from partywall_worker;",
        object="app.child",
        part="constraint child_of_t",
        also=frozenset({("unique-without-tenant", "app.t")}),
    ),
    Defect(
        check="unique-without-tenant",
        name="a primary key",
        plant=table("id uuid, constraint t_pkey primary key (id)", "create index on app.t (tenant_id);"),
        clean=table("id uuid, constraint t_pkey primary key (tenant_id, id)"),
        part="constraint t_pkey",
    ),
    Defect(
        check="unique-without-tenant",
        name="a unique index",
        plant=f"{GOOD} create unique index once on app.t (body);",
        clean=f"{GOOD} create unique index once on app.t (tenant_id, body);",
        part="index once",
    ),
    Defect(
        check="unique-without-tenant",
        name="the tenant is only included",
        plant=f"{GOOD} create unique index once on app.t (body) include (tenant_id);",
        clean=f"{GOOD} create unique index once on app.t (body, tenant_id);",
        part="index once",
    ),
    Defect(
        check="unique-without-tenant",
        name="an exclusion",
        plant=f"{GOOD} alter table app.t add constraint once exclude (body with =);",
        clean=f"{GOOD} alter table app.t add constraint once exclude (tenant_id with =, body with =);",
        part="constraint once",
    ),
    Defect(
        check="index-not-led-by-tenant",
        name="none at all",
        plant=table("body text"),
        clean=table("body text", "create index on app.t (tenant_id);"),
    ),
    Defect(
        check="index-not-led-by-tenant",
        name="none for all rows",
        plant=table("body text", "create index on app.t (tenant_id) where body is null;"),
        clean=table("body text", "create index on app.t (tenant_id, body);"),
    ),
    Defect(
        check="index-not-leakproof",
        name="an enum",
        plant="create type app.mood as enum ('good', 'bad');"
        + table("mood app.mood", "create index by_mood on app.t (tenant_id, mood);"),
        clean=table("mood text", "create index by_mood on app.t (tenant_id, mood);"),
        part="index by_mood",
    ),
    Defect(
        check="index-not-leakproof",
        name="a jsonb",
        plant=table("data jsonb", "create index on app.t (tenant_id); create index in_data on app.t using gin (data);"),
        clean=table("data jsonb", "create index on app.t (tenant_id);"),
        part="index in_data",
    ),
    Defect(
        check="index-not-leakproof",
        name="an expression",
        plant=f"{GOOD} create index by_body on app.t (tenant_id, lower(body));",
        clean=f"{GOOD} create index by_body on app.t (tenant_id, body);",
        part="index by_body",
    ),
]
