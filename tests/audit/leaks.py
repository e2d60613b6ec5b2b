"""Tables that read well and leak: what no look at the catalog tells, because it is declared to be right or hidden."""

from dataclasses import dataclass

from tests.audit.zoo.defect import GOOD, TABLE

RIGHT = "tenant_id = (select partywall.current_tenant_id())"
ENABLED = f"{TABLE} alter table app.t enable row level security; alter table app.t force row level security;"
NOBODY_OR_RIGHT = f"nullif(current_setting('partywall.token', true), '') is null or {RIGHT}"
TRUSTING = """
create function app.is_mine(tenant uuid) returns boolean stable parallel safe language sql as 'select true';
grant execute on function app.is_mine(uuid) to public;
"""


def policy(using: str, check: str, *, allowing: str = "policy-not-canonical") -> str:
    """Return a table with one policy that somebody swears by."""
    return (
        f"{TRUSTING} {ENABLED} create policy p on app.t using ({using}) with check ({check});"
        f" comment on policy p on app.t is e'partywall: allow {allowing}, tested by hand\\n"
        "partywall: allow restrictive-policy-missing, one is enough';"
    )


@dataclass(frozen=True)
class LeakyDatabase:
    """SQL that plants a leak, and what the probe has to say."""

    name: str
    plant: str
    check: str
    object: str = "app.t"
    words: tuple[str, ...] = ()
    """Each has to stand in what is said about the object."""
    part: str | None = None


UNSEEN = [
    LeakyDatabase(
        name="a policy that asks a function which says yes",
        plant=policy("app.is_mine(tenant_id)", "app.is_mine(tenant_id)"),
        check="probe-read",
        words=(
            "as tenant A, reading shows 1 row of other tenants",
            "with an empty token, reading shows 2 rows",
            "with an empty token, COPY writes out 2 rows",
            "as tenant A, asking for tenant B shows 1 row",
            "as tenant A, COPY writes out 1 row of tenant B",
            "as tenant A, SELECT FOR UPDATE locks 1 row of tenant B",
        ),
    ),
    LeakyDatabase(
        name="a check that is weaker than what may be read",
        plant=policy(RIGHT, "app.is_mine(tenant_id)", allowing="policy-check-differs"),
        check="probe-write",
        words=(
            "as tenant A, INSERT plants a row in tenant B",
            "as tenant A, UPDATE without WHERE moves rows to tenant B",
        ),
    ),
    LeakyDatabase(
        name="a wider policy for one command",
        plant=f"""
            {TRUSTING} {ENABLED}
            create policy reading on app.t for select using ({RIGHT});
            create policy adding on app.t for insert with check ({RIGHT});
            create policy removing on app.t for delete using (app.is_mine(tenant_id));
            comment on table app.t is
            e'partywall: allow policy-not-canonical, tested\\npartywall: allow restrictive-policy-missing, tested';
        """,
        check="probe-write",
        words=("as tenant A, DELETE without WHERE removes rows of others",),
    ),
    LeakyDatabase(
        name="a policy that is open until somebody is somebody",
        plant=policy(NOBODY_OR_RIGHT, NOBODY_OR_RIGHT, allowing="policy-reads-setting"),
        check="probe-read",
        words=("with an empty token, reading shows 2 rows", "back at a savepoint"),
    ),
    LeakyDatabase(
        name="an invoker's view that calls a function with other rights",
        plant=f"""
            {GOOD}
            create function app.everything() returns bigint stable
            security definer set search_path = pg_catalog, pg_temp
            language sql as 'select count(*) from app.t';
            grant execute on function app.everything() to partywall_worker;
            comment on function app.everything() is 'partywall: allow definer-executable, it only counts';
            create view app.total with (security_invoker) as select app.everything() as everything, count(*) from app.t;
            reset role; alter function app.everything() owner to partywall_backup;
        """,
        check="probe-view",
        object="app.total",
        words=("as tenant A, it shows something else once tenant B has rows",),
    ),
    LeakyDatabase(
        name="a view of an owner whom nothing holds back, declared to be right",
        plant=f"""
            {GOOD} create view app.total as select count(*) from app.t; grant select on app.total to partywall_worker;
            reset role; alter view app.total owner to partywall_backup;
            comment on view app.total is 'partywall: allow view-owner-bypasses, it is only a number';
        """,
        check="probe-view",
        object="app.total",
        words=("as tenant A", "with an empty token"),
    ),
    LeakyDatabase(
        name="a partition that may be named, declared to be out of reach",
        plant="""
            create table app.t (
                tenant_id uuid not null default partywall.current_tenant_id(),
                id uuid not null default partywall.uuid7(), day date not null, primary key (tenant_id, id, day)
            ) partition by range (day);
            create table app.t_2026 partition of app.t for values from ('2026-01-01') to ('2027-01-01');
            select partywall.protect('app.t');
            alter table app.t_2026 disable row level security;
            comment on table app.t_2026 is 'partywall: allow partition-unprotected, nobody names it';
        """,
        check="probe-read",
        object="app.t_2026",
        words=("as tenant A, reading shows 1 row of other tenants",),
    ),
    LeakyDatabase(
        name="a current tenant that believes any token",
        plant=f"""
            {GOOD}
            create or replace function partywall.current_tenant_id() returns uuid stable parallel safe
            security definer set search_path = pg_catalog, pg_temp
            language sql as $$ select split_part(current_setting('partywall.token', true), '.', 3)::uuid $$;
        """,
        check="probe-context",
        object="partywall.current_tenant_id()",
        words=("tenant A's token with tenant B's id in it, written into the setting, is believed",),
    ),
    LeakyDatabase(
        name="a door that lets everybody in",
        plant=f"""
            {GOOD}
            create or replace function partywall.enter(token text) returns void
            security definer set search_path = pg_catalog, pg_temp
            language plpgsql as $$ begin perform set_config('partywall.token', token, true); end $$;
        """,
        check="probe-context",
        object="partywall.current_tenant_id()",
        words=(
            "tenant A's token with tenant B's id in it is let in",
            "a token with another signature is let in",
            "the bare id of a tenant is let in",
        ),
    ),
    LeakyDatabase(
        name="a current tenant that believes a bare id",
        plant=f"""
            {GOOD}
            create or replace function partywall.current_tenant_id() returns uuid stable parallel safe
            security definer set search_path = pg_catalog, pg_temp
            language plpgsql as $$
            declare said text := nullif(current_setting('partywall.token', true), '');
            begin
                if said is null then raise exception 'no tenant' using errcode = 'PW001'; end if;
                if length(said) = 36 then return said; end if;
                return (partywall_private.verify(said)).tenant_id;
            end $$;
        """,
        check="probe-context",
        object="partywall.current_tenant_id()",
        words=("the bare id of a tenant, written into the setting, is believed",),
    ),
    LeakyDatabase(
        name="a context that no ROLLBACK takes back",
        plant=f"""
            {GOOD}
            create sequence partywall.entered;
            create or replace function partywall.enter(token text) returns void
            security definer set search_path = pg_catalog, pg_temp
            language plpgsql as $$ begin
                perform partywall_private.verify(token); perform set_config('partywall.token', token, true);
                perform nextval('partywall.entered');
            end $$;
            create or replace function partywall.current_tenant_id() returns uuid stable parallel safe
            security definer set search_path = pg_catalog, pg_temp
            language plpgsql as $$
            declare said text := nullif(current_setting('partywall.token', true), '');
            begin
                if said is not null then return (partywall_private.verify(said)).tenant_id; end if;
                if (select is_called from partywall.entered) then return gen_random_uuid(); end if;
                raise exception 'no tenant' using errcode = 'PW001';
            end $$;
        """,
        check="probe-context",
        object="partywall.current_tenant_id()",
        words=(
            "after COMMIT the next transaction is still tenant A",
            "after ROLLBACK the next transaction is still tenant A",
        ),
    ),
    LeakyDatabase(
        name="a context that outlives its transaction",
        plant=f"""
            {GOOD}
            create or replace function partywall.enter(token text) returns void
            security definer set search_path = pg_catalog, pg_temp
            language plpgsql as $$ begin
                perform partywall_private.verify(token); perform set_config('partywall.token', token, false);
            end $$;
        """,
        check="probe-context",
        object="partywall.current_tenant_id()",
        words=("after COMMIT the next transaction is still tenant A",),
    ),
]

SEEN = [
    LeakyDatabase(
        name="no row-level security at all",
        plant=TABLE,
        check="probe-write",
        words=(
            "as tenant A, INSERT plants a row in tenant B",
            "with an empty token, INSERT plants a row in tenant B",
            "as tenant A, COPY FROM plants a row in tenant B",
            "as tenant A, UPDATE without WHERE moves rows to tenant B",
            "as tenant A, UPDATE changes 1 of tenant B's rows",
            "as tenant A, UPDATE without WHERE reaches rows of others",
            "as tenant A, DELETE removes rows of tenant B",
            "as tenant A, DELETE without WHERE removes rows of others",
            "with an empty token, UPDATE reaches rows",
            "with an empty token, DELETE reaches rows",
        ),
    ),
    LeakyDatabase(
        name="the right to truncate",
        plant=f"{GOOD} grant truncate on app.t to partywall_worker;",
        check="probe-write",
        words=("TRUNCATE empties the table for everybody",),
    ),
    LeakyDatabase(
        name="a unique body",
        plant=f"{GOOD} alter table app.t alter column body set not null;"
        " alter table app.t add constraint one_body unique (body);",
        check="probe-unique",
        words=("refused by one_body",),
        part="constraint one_body",
    ),
    LeakyDatabase(
        name="a foreign key to an id alone",
        plant=f"""
            {GOOD} alter table app.t add constraint one_id unique (id);
            create table app.child (
                tenant_id uuid not null default partywall.current_tenant_id(),
                id uuid not null default partywall.uuid7(),
                t_id uuid, primary key (tenant_id, id), constraint of_t foreign key (t_id) references app.t (id)
            );
            select partywall.protect('app.child');
        """,
        check="probe-reference",
        object="app.child",
        words=("as tenant A, INSERT refers to tenant B's row in app.t",),
        part="constraint of_t",
    ),
]
