"""Policies: what they say, for whom, and how they are combined."""

from tests.audit.zoo.defect import GOOD, OWNER, PROTECT, SUPERUSER, TABLE, Defect

ENABLED = TABLE + "alter table app.t enable row level security; alter table app.t force row level security;"
CANONICAL = "tenant_id = (select partywall.current_tenant_id())"
TWIN = f"create policy twin on app.t as restrictive using ({CANONICAL});"
ISOLATION = "policy tenant_isolation"


def permissive(using: str, check: str | None = None, *, name: str = "p") -> str:
    """Return a table whose only policy says this, without a twin."""
    with_check = f" with check ({check})" if check else ""
    return f"{ENABLED} create policy {name} on app.t using ({using}){with_check};"


def shadowed(using: str) -> str:
    """Return the same with a twin beside it that keeps it from doing harm."""
    return f"{permissive(using)} {TWIN}"


DEFECTS = [
    Defect(
        check="policy-always-true",
        name="using (true)",
        plant=permissive("true"),
        clean=GOOD,
        part="policy p",
    ),
    Defect(
        check="policy-always-true",
        name="for one command and one role",
        plant=f"{GOOD} drop policy tenant_isolation_always on app.t;"
        " create policy peek on app.t for select to partywall_api using (true);"
        " grant select on app.t to partywall_api;",
        clean=f"{GOOD} grant select on app.t to partywall_api;",
        part="policy peek",
        also=frozenset({("restrictive-policy-missing", "app.t"), ("permissive-policies-combined", "app.t")}),
    ),
    Defect(
        check="policy-always-true",
        name="with check (true)",
        plant=permissive(CANONICAL, "true"),
        clean=permissive(CANONICAL, CANONICAL) + TWIN,
        part="policy p",
    ),
    Defect(
        check="policy-always-true",
        name="the twin is for one command only",
        plant=f"{permissive('true')} create policy twin on app.t as restrictive for select using ({CANONICAL});",
        clean=permissive(CANONICAL) + TWIN,
        part="policy p",
    ),
    Defect(
        check="policy-not-on-tenant-column",
        name="another column",
        plant=permissive("id = (select partywall.current_tenant_id())"),
        clean=GOOD,
        part="policy p",
    ),
    Defect(
        check="policy-not-on-tenant-column",
        name="only the check looks at it",
        plant=permissive("body is not null", CANONICAL),
        clean=GOOD,
        part="policy p",
        also=frozenset({("policy-check-differs", "app.t")}),
    ),
    Defect(
        check="policy-check-differs",
        name="a wider check",
        plant=f"{permissive(CANONICAL, f'{CANONICAL} or tenant_id is not null')} {TWIN}",
        clean=f"{permissive(CANONICAL, CANONICAL)} {TWIN}",
        part="policy p",
    ),
    Defect(
        check="policy-reads-setting",
        name="an administrator's flag",
        plant=shadowed(f"{CANONICAL} or current_setting('shop.is_admin', true) = 'yes'"),
        clean=shadowed(CANONICAL),
        part="policy p",
        also=frozenset({("policy-setting-without-nullif", "app.t")}),
    ),
    Defect(
        check="policy-reads-setting",
        name="the tenant stands in a setting",
        plant=shadowed("tenant_id = (select nullif(current_setting('shop.tenant', true), '')::uuid)"),
        clean=shadowed(CANONICAL),
        part="policy p",
    ),
    Defect(
        check="policy-setting-without-nullif",
        name="a bare cast",
        plant=shadowed("tenant_id = (select current_setting('shop.tenant', true)::uuid)"),
        clean=shadowed(CANONICAL),
        part="policy p",
        also=frozenset({("policy-reads-setting", "app.t")}),
    ),
    Defect(
        check="policy-without-initplan",
        name="a bare call",
        plant=shadowed("tenant_id = partywall.current_tenant_id()"),
        clean=shadowed(CANONICAL),
        part="policy p",
    ),
    Defect(
        check="policy-without-initplan",
        name="a bare setting",
        plant=shadowed("tenant_id = nullif(current_setting('shop.tenant', true), '')::uuid"),
        clean=shadowed(CANONICAL),
        part="policy p",
        also=frozenset({("policy-reads-setting", "app.t")}),
    ),
    Defect(
        check="policy-function-volatile",
        name="a function left volatile",
        plant="create function app.mine() returns uuid language sql as 'select partywall.current_tenant_id()';"
        + shadowed("tenant_id = (select app.mine())"),
        clean=shadowed(CANONICAL),
        part="policy p",
        also=frozenset({("policy-not-canonical", "app.t")}),
    ),
    Defect(
        check="policy-function-volatile",
        name="a function left parallel unsafe",
        plant="create function app.mine() returns uuid stable language sql as 'select partywall.current_tenant_id()';"
        + shadowed("tenant_id = (select app.mine())"),
        clean=shadowed(CANONICAL),
        part="policy p",
        also=frozenset({("policy-not-canonical", "app.t")}),
    ),
    Defect(
        check="policy-not-canonical",
        name="the tenant or somebody's row",
        plant=shadowed(f"{CANONICAL} or body = 'public'"),
        clean=shadowed(CANONICAL),
        part="policy p",
    ),
    Defect(
        check="policy-not-canonical",
        name="a function of the same name in another schema",
        plant="create function app.current_tenant_id() returns uuid stable parallel safe"
        " language sql as 'select null::uuid';" + shadowed("tenant_id = (select app.current_tenant_id())"),
        clean=shadowed(CANONICAL),
        part="policy p",
    ),
    Defect(
        check="policy-not-canonical",
        name="an operator of the same name in another schema",
        plant=f"""
            {SUPERUSER} create schema op; grant all on schema op to partywall_owner; {OWNER}
            create function op.same(uuid, uuid) returns boolean immutable parallel safe language sql as 'select true';
            create operator op.= (leftarg = uuid, rightarg = uuid, function = op.same);
        """
        + shadowed("tenant_id operator(op.=) (select partywall.current_tenant_id())"),
        clean=shadowed(CANONICAL),
        part="policy p",
    ),
    Defect(
        check="policy-not-canonical",
        name="the restrictive one was opened",
        plant=f"{GOOD} alter policy tenant_isolation_always on app.t using (true) with check (true);",
        clean=f"{GOOD} alter policy tenant_isolation_always on app.t using (true) with check (true); {PROTECT}",
        part="policy tenant_isolation_always",
        also=frozenset({("restrictive-policy-missing", "app.t")}),
    ),
    Defect(
        check="permissive-policies-combined",
        name="a second permissive policy",
        plant=f"{GOOD} create policy more on app.t for update using ({CANONICAL});",
        clean=f"{GOOD} create policy more on app.t as restrictive for update using ({CANONICAL});",
    ),
    Defect(
        check="restrictive-policy-missing",
        name="the twin was dropped",
        plant=f"{GOOD} drop policy tenant_isolation_always on app.t;",
        clean=GOOD,
        part=ISOLATION,
    ),
    Defect(
        check="restrictive-policy-missing",
        name="the twin is for another role",
        plant=f"{GOOD} alter policy tenant_isolation_always on app.t to partywall_api;",
        clean=f"{GOOD} alter policy tenant_isolation_always on app.t to public;",
        part=ISOLATION,
    ),
    Defect(
        check="policy-misses-role",
        name="a role with rights and no policy",
        plant=f"{TABLE} select partywall.protect('app.t', array['partywall_worker']);"
        " grant select on app.t to partywall_api;",
        clean=f"{TABLE} select partywall.protect('app.t', array['partywall_worker', 'partywall_api']);"
        " grant select on app.t to partywall_api;",
        role="partywall_api",
    ),
]
