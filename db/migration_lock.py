"""The lock of whoever changes the schema."""

import time

from sqlalchemy import Connection, text

from db.errors import MigrationBusyError

LOCK_KEY = 0x70_61_72_74_79
"""The advisory lock of whoever migrates: "party" in ASCII."""
LOCK_POLL_SECONDS = 0.2


def acquire_lock(connection: Connection, *, wait_seconds: float) -> None:
    """Return once nobody else migrates. The lock is held until the connection is closed.

    Raises:
        MigrationBusyError: somebody else held it for `wait_seconds`.
    """
    # Asked for, not waited for: a session blocked on the lock holds a snapshot that
    # `create index concurrently` in the other runner waits for - a deadlock.
    connection.execute(text("set client_connection_check_interval = '1s'"))
    deadline = time.monotonic() + wait_seconds
    while not connection.execute(text("select pg_try_advisory_lock(:key)"), {"key": LOCK_KEY}).scalar_one():
        connection.commit()
        if time.monotonic() > deadline:
            raise MigrationBusyError(
                waited_seconds=wait_seconds, hint="See pg_stat_activity for who migrates, and why."
            )
        time.sleep(LOCK_POLL_SECONDS)
    connection.commit()
