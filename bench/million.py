"""A million rows of a thousand tenants, three times over: read by hand, behind the usual policy, behind the wall."""

from uuid import UUID

from sqlalchemy import Connection, create_engine, text

from cli.stack.postgres import EmbeddedPostgres
from db.dsn import plain_url

BY_HAND = "app.bench_by_hand"
SETTING = "app.bench_setting"
OURS = "app.bench_ours"

SETTING_TENANT = "(select nullif(current_setting('app.tenant', true), '')::uuid)"
"""What most who isolate tenants by a setting write into their policies, in its fast form: once a statement."""


def load(server: EmbeddedPostgres, *, tenant_id: UUID, rows: int, tenants: int) -> UUID:
    """Fill three tables with the same rows, `rows // tenants` a tenant; return the id of a row of `tenant_id`."""
    admin = create_engine(plain_url(server.admin_url()), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql("set role partywall_owner")
        connection.exec_driver_sql(f"""
            create table {BY_HAND} (
                tenant_id  uuid not null,
                id         uuid not null,
                amount     bigint not null,
                note       text not null,
                created_at timestamptz not null default now()
            )
        """)
        connection.execute(
            text(f"""
                insert into {BY_HAND} (tenant_id, id, amount, note)
                select owners.id, gen_random_uuid(), number, 'a note of about the usual length, number ' || number
                from generate_series(1, :each) as number
                cross join (
                    select case when place = 1 then cast(:tenant as uuid) else gen_random_uuid() end
                    from generate_series(1, :tenants) as place
                ) as owners (id)
                order by number
            """),  # noqa: S608 - a constant of this module
            {"each": rows // tenants, "tenant": tenant_id, "tenants": tenants},
        )
        for copy in (SETTING, OURS):
            connection.exec_driver_sql(f"create table {copy} (like {BY_HAND} including all)")
            connection.exec_driver_sql(f"insert into {copy} select * from {BY_HAND}")  # noqa: S608
        connection.exec_driver_sql(f"alter table {SETTING} enable row level security, force row level security")
        connection.exec_driver_sql(
            f"create policy own_rows on {SETTING}"
            f" using (tenant_id = {SETTING_TENANT}) with check (tenant_id = {SETTING_TENANT})"
        )
        connection.exec_driver_sql(f"select partywall.protect('{OURS}')")
        for table in (BY_HAND, SETTING, OURS):
            _settle(connection, table)
        found = connection.execute(
            text(f"select id from {BY_HAND} where tenant_id = :tenant limit 1"),  # noqa: S608
            {"tenant": tenant_id},
        ).scalar_one()
    admin.dispose()
    return UUID(str(found))


def _settle(connection: Connection, table: str) -> None:
    connection.exec_driver_sql(f"alter table {table} add primary key (tenant_id, id)")
    connection.exec_driver_sql(f"grant select, insert, update, delete on {table} to partywall_worker")
    connection.exec_driver_sql(f"vacuum (analyze, freeze) {table}")
    # The first leaves some pages of a table that was filled a moment ago for later. A count would look into those.
    connection.exec_driver_sql(f"vacuum (freeze, disable_page_skipping) {table}")
