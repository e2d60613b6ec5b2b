"""The body on every system that knows no wall: the usual recipe, `set_config()` and a policy that reads the setting."""

import os
import time
from datetime import UTC, datetime
from functools import cache

from sqlalchemy import Engine, create_engine, text

from bench.load.request import tenant_id
from db.dsn import plain_url, setting_name
from db.roles import Role

DATABASE = setting_name(Role.WORKER)

_ENTER = text("select set_config('app.tenant', :tenant, true)")
_WRITE = text("insert into bare.marks (tenant_id, number, started_at) values (:tenant, :number, :started_at)")


def mark(tenant: int, number: int, milliseconds: int = 0) -> None:
    """Write the row that a job is about, as its tenant, in one transaction."""
    started_at = datetime.now(UTC)
    who = str(tenant_id(tenant))
    with _engine().begin() as connection:
        connection.execute(_ENTER, {"tenant": who})
        connection.execute(_WRITE, {"tenant": who, "number": number, "started_at": started_at})
        if milliseconds:
            time.sleep(milliseconds / 1000)


@cache
def _engine() -> Engine:
    # On first use: a worker's children may share no connection with the process that forked them.
    return create_engine(plain_url(os.environ[DATABASE]))
