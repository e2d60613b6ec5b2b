"""Tables that are hard to fill: what adopters write into a definition."""

TENANT = "tenant_id uuid not null default partywall.current_tenant_id()"
ID = "id uuid not null default partywall.uuid7()"


def table(columns: str, *, name: str = "app.t", more: str = "") -> str:
    """Return a protected table with these columns, too."""
    return (
        f"create table {name} ({TENANT}, {ID}, {columns}, primary key (tenant_id, id)); {more}"
        f" select partywall.protect('{name}');"
    )


OTHER = table("label text", name="app.other")

FILLABLE = {
    "checks of one column": table("""
        code text not null check (code ~ '^[A-Z]{2}-[0-9]{4}$'),
        slug text not null check (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
        mail text not null check (mail like '%@%' and length(mail) < 100),
        state text not null check (state in ('draft', 'sent', 'paid')),
        hash bytea not null check (octet_length(hash) = 32),
        month date not null check (extract(day from month) = 1),
        share numeric(5, 2) not null check (share between 0 and 100),
        small smallint not null check (small > 7),
        country char(2) not null,
        short varchar(3) not null
    """),
    "a check of several columns": table("""
        state text not null check (state in ('open', 'closed')),
        closed_at timestamptz,
        starts_at date not null,
        ends_at date not null,
        constraint closed_says_when check ((state = 'closed') = (closed_at is not null)),
        constraint ends_after_it_starts check (ends_at > starts_at)
    """),
    "types of all kinds": table("""
        a boolean not null, b smallint not null, c bigint not null, d real not null, e double precision not null,
        f numeric not null, g json not null, h jsonb not null, i inet not null, j cidr not null, k macaddr not null,
        l interval not null, m time not null, n timetz not null, o timestamp not null, p uuid not null,
        q text[] not null, r integer[] not null, s int4range not null, t daterange not null, u tsvector not null,
        v point not null, w bit(1) not null, x money not null, y name not null, z "char" not null
    """),
    "an enum, domains, a composite": """
        create type app.mood as enum ('good', 'bad');
        create domain app.percent as integer check (value between 0 and 100);
        create domain app.plate as text check (value ~ '^[A-Z]{3} [0-9]{3}$') not null;
    """
    + table("mood app.mood not null, done app.percent not null, plate app.plate, moods app.mood[] not null"),
    "generated and identity columns": table("""
        number bigint generated always as identity,
        price numeric not null, tax numeric generated always as (price * 0.2) stored
    """),
    "a foreign key to another tenant table": OTHER
    + table(
        "other_id uuid not null, foreign key (tenant_id, other_id) references app.other (tenant_id, id)",
    ),
    "two foreign keys to one table, one of which may be null": OTHER
    + table(
        "a uuid not null, b uuid, foreign key (tenant_id, a) references app.other, "
        "foreign key (tenant_id, b) references app.other",
    ),
    "a foreign key to itself": table("parent uuid, foreign key (tenant_id, parent) references app.t (tenant_id, id)"),
    "a foreign key to a shared table": """
        create table app.countries (code text primary key);
        insert into app.countries values ('fr'), ('de');
        comment on table app.countries is 'partywall: shared, the same for everybody';
        revoke insert, update, delete on app.countries from partywall_worker;
    """
    + table("country text not null references app.countries (code)"),
    "a circle that can be left open": f"""
        create table app.t ({TENANT}, {ID}, child uuid, primary key (tenant_id, id));
        create table app.child (
            {TENANT}, {ID}, t uuid not null, primary key (tenant_id, id),
            foreign key (tenant_id, t) references app.t (tenant_id, id)
        );
        alter table app.t add foreign key (tenant_id, child) references app.child (tenant_id, id);
        select partywall.protect('app.t'), partywall.protect('app.child');
    """,
    "partitions by range, list and hash": """
        create table app.t (
            tenant_id uuid not null default partywall.current_tenant_id(),
            id uuid not null default partywall.uuid7(),
            day date not null, kind text not null,
            primary key (tenant_id, id, day, kind)
        ) partition by range (day);
        create table app.t_2026 partition of app.t for values from ('2026-02-01') to ('2026-03-01')
        partition by list (kind);
        create table app.t_2026_a partition of app.t_2026 for values in ('a', 'it''s');
        create table app.t_2026_b partition of app.t_2026 for values in ('b') partition by hash (tenant_id, id);
        create table app.t_2026_b0 partition of app.t_2026_b for values with (modulus 2, remainder 0);
        create table app.t_2026_b1 partition of app.t_2026_b for values with (modulus 2, remainder 1);
        create table app.t_other partition of app.t default;
        select partywall.protect('app.t');
    """,
    "partitions by the hash of the tenant": """
        create table app.t (
            tenant_id uuid not null default partywall.current_tenant_id(),
            id uuid not null default partywall.uuid7(), primary key (tenant_id, id)
        ) partition by hash (tenant_id);
        create table app.t_0 partition of app.t for values with (modulus 3, remainder 0);
        create table app.t_1 partition of app.t for values with (modulus 3, remainder 1);
        create table app.t_2 partition of app.t for values with (modulus 3, remainder 2);
        select partywall.protect('app.t');
    """,
    "names that have to be quoted": table(
        """ "50% off" text not null, "a:b" text not null, "select" text not null, "Größe" integer not null """,
        name='app."Tabelle 100%"',
    ),
    "a unique key of all there is to choose": table(
        "kind text not null check (kind in ('a', 'b')), unique (tenant_id, kind)"
    ),
    "a trigger that fills what it wants": table(
        "touched_at timestamptz not null",
        more="""
            create function app.touch() returns trigger language plpgsql as $$
            begin new.touched_at := now(); return new; end $$;
            create trigger touch before insert or update on app.t for each row execute function app.touch();
        """,
    ),
}
