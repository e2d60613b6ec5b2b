"""Does something lend us PostgreSQL's connections, and by the transaction?"""

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


def _promised_pid(connection: Connection) -> int:
    # What the server said at login. A pooler answers the login itself and makes a number up.
    driver: Any = connection.connection.driver_connection
    pid: int = driver.info.backend_pid
    return pid


def _backend_pid(connection: Connection) -> int:
    pid: int = connection.execute(text("select pg_backend_pid()")).scalar_one()
    connection.commit()
    return pid
