"""Databases with many finished jobs and with few, alike in all else."""

from sqlalchemy import Connection, create_engine, text

from cli.stack.postgres import EmbeddedPostgres
from db.dsn import plain_url
from db.migrate import bootstrap
from db.rows import uuid7

TENANTS = 100
DAYS = 60
"""The oldest ended so long ago, the newest now. Jobs are kept for 30 days, so half of a tenant's are to be pruned."""
BIGGEST = "t1"
"""A fifth of the jobs are this tenant's."""

_TENANTS = text("""
    insert into partywall.tenants (slug, name) select 't' || place, 'T' from generate_series(1, :tenants) as place
""")
# Ids in the order of arrival, as UUIDv7 has them: new rows go to one end of every index, old ones leave at the other.
_JOBS = text("""
    insert into partywall.jobs (
        tenant_id, id, task_name, queue, state, attempt, max_attempts, run_at, created_at, dispatched_at, started_at,
        finished_at, sends, worker, worker_id, payload, result
    )
    select
        owners.id,
        cast(
            lpad(to_hex(cast(extract(epoch from moments.at) * 1000 as bigint)), 12, '0') || '7'
            || right(md5(cast(number as text)), 19) as uuid
        ),
        'orders.import_csv', 'default',
        case when number % 50 = 0 then 'failed' when number % 51 = 0 then 'cancelled' else 'succeeded' end,
        1, 3, moments.at, moments.at, moments.at, moments.at, moments.at, 1, 'worker@host/1', :worker,
        jsonb_build_object('file', 'orders.csv', 'note', repeat('x', 100)), jsonb_build_object('rows', number)
    from generate_series(1, :jobs) as number
    inner join partywall.tenants as owners
    on owners.slug = case when number % 5 = 0 then :biggest else 't' || (2 + number % (:tenants - 1)) end
    cross join lateral (
        select now() - make_interval(days => :days) * (1 - number / cast(:jobs as float8))
    ) as moments (at)
""")
_ATTEMPTS = text("""
    insert into partywall.attempts (tenant_id, job_id, attempt, outcome, worker, worker_id, started_at, ended_at)
    select tenant_id, id, 1, state, worker, worker_id, started_at, finished_at from partywall.jobs
""")


def add_database(server: EmbeddedPostgres, name: str, *, jobs: int) -> None:
    """Copy the migrated database, which nobody is connected to, and put tenants and finished jobs into the copy."""
    maintenance = create_engine(plain_url(server.admin_url("postgres")), isolation_level="AUTOCOMMIT")
    with maintenance.connect() as connection:
        connection.exec_driver_sql(f"create database {name} template partywall")
    maintenance.dispose()
    # Rights on the database itself are not part of a template.
    bootstrap(server.admin_url(name), logins={})
    admin = create_engine(plain_url(server.admin_url(name)), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        _fill(connection, jobs=jobs)
    admin.dispose()
    vacuum(server, name)


def vacuum(server: EmbeddedPostgres, name: str) -> None:
    """Do what autovacuum does after a while."""
    admin = create_engine(plain_url(server.admin_url(name)), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql("vacuum (analyze) partywall.jobs, partywall.attempts, partywall.tenants")
    admin.dispose()


def _fill(connection: Connection, *, jobs: int) -> None:
    # Each attempt's job is looked up by its foreign key, a million times; the rows are made to fit.
    connection.exec_driver_sql("set session_replication_role = replica")
    tenants = (
        "insert into partywall.tenants (slug, name) select 't' || place, 'T' from generate_series(1, %(t)s) as place"
    )
    connection.exec_driver_sql(tenants, {"t": TENANTS})
    values = {"jobs": jobs, "tenants": TENANTS, "biggest": BIGGEST, "days": DAYS, "worker": uuid7()}
    connection.execute(_JOBS, values)
    connection.execute(_ATTEMPTS)
    connection.exec_driver_sql("reset session_replication_role")
