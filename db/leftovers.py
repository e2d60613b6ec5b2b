"""What is on a session that should carry nothing: asked on a pooled connection, before its next transaction."""

from collections.abc import Sequence
from contextlib import closing
from typing import Any

from psycopg.pq import TransactionStatus
from sqlalchemy import Connection

_FOUND = """
    select 'setting ' || name from pg_settings where source = 'session' and name <> 'application_name'
    union all
    select 'setting ' || name
    from unnest(cast(%(settings)s as text[])) as name
    where nullif(current_setting(name, true), '') is not null
    union all
    select 'role ' || current_user where current_user <> session_user
    union all
    select 'prepared statement ' || name from pg_prepared_statements
    union all
    select 'cursor ' || name from pg_cursors where name <> '' and name not like '<%%'
    union all
    select 'LISTEN ' || channel from pg_listening_channels() as channel
    union all
    select 'temporary object ' || relname from pg_class where relnamespace = pg_my_temp_schema()
    union all
    select distinct 'advisory lock ' || concat_ws('/', nullif(classid, 0), objid)
    from pg_locks
    where locktype = 'advisory' and pid = pg_backend_pid()
"""


def find_leftovers(connection: Connection, *, settings: Sequence[str]) -> tuple[int, list[str]]:
    """Return the backend's pid and what it still carries: names, never values.

    `settings` are looked at besides those that PostgreSQL lists: of names with a dot it lists none. Call it first of
    all; the transactions that follow on this connection are not disturbed.
    """
    # Past SQLAlchemy, which would begin a transaction, and with it a context: what is asked is what was there before.
    pooled = connection.connection
    driver: Any = pooled.driver_connection
    found = []
    if driver.info.transaction_status != TransactionStatus.IDLE:
        found.append("open transaction")
    with closing(pooled.cursor()) as cursor:
        cursor.execute(_FOUND, {"settings": list(settings)})
        found += [name for (name,) in cursor.fetchall()]
        cursor.execute("select pg_backend_pid()")
        ((pid,),) = cursor.fetchall()
    return int(pid), sorted(set(found))
