"""Does something lend us PostgreSQL's connections, and does it clean them in between?"""

import secrets
from typing import Any, Literal

from sqlalchemy import Connection, text

ATTEMPTS = 3

Pooling = Literal["transaction", "unknown"]


def describe_pooler(first: Connection, second: Connection) -> Pooling | None:
    """Return None when both connections are PostgreSQL's own, else how the pooler in between lends them.

    "transaction" is proven: the second got the backend that the first had just used. "unknown" may be a pool of
    sessions, or other clients were faster. Leaves both connections outside a transaction.
    """
    if not is_pooled(first):
        return None
    for _ in range(ATTEMPTS):
        lent = _backend_pid(first)
        if _backend_pid(second) == lent:
            return "transaction"
    return "unknown"


def is_pooled(connection: Connection) -> bool:
    """Return whether somebody other than PostgreSQL answered the login."""
    return _backend_pid(connection) != _promised_pid(connection)


def keeps_sessions(first: Connection, second: Connection) -> bool:
    """Return whether the second connection was seen to find what the first had left on its session.

    False is proven when both had the same backend, and the best guess when other clients were faster each time.
    """
    for _ in range(ATTEMPTS):
        left = secrets.token_hex(8)
        lent = first.execute(_LEAVE, {"value": left}).scalar_one()
        first.commit()
        backend, found = second.execute(_FIND).one()
        if found == left:
            second.execute(_LEAVE, {"value": ""})
        second.commit()
        if found == left or backend == lent:
            return bool(found == left)
    return False


_LEAVE = text("select pg_backend_pid() from set_config('partywall.trace', :value, false)")
_FIND = text("select pg_backend_pid(), current_setting('partywall.trace', true)")


def _promised_pid(connection: Connection) -> int:
    # What the server said at login. A pooler answers the login itself and makes a number up.
    driver: Any = connection.connection.driver_connection
    pid: int = driver.info.backend_pid
    return pid


def _backend_pid(connection: Connection) -> int:
    pid: int = connection.execute(text("select pg_backend_pid()")).scalar_one()
    connection.commit()
    return pid
