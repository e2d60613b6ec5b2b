"""Cleaning a session: for whoever the pool lends it to next, and between the jobs of a bundle, all of one tenant."""

import logging
from typing import Any, Final

from psycopg import Error as DriverError
from psycopg.errors import InsufficientPrivilege
from psycopg.pq import TransactionStatus
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection, PoolResetState

from db.liveness import is_settled
from db.round_trip import Statement

log = logging.getLogger(__name__)


Statements = tuple[Statement, ...]

DISCARD_ALL: Final[Statements] = (("discard all", ()),)
_RINSE: Final[Statements] = (
    ("close all", ()),
    ("reset session authorization", ()),
    ("reset all", ()),
    ("deallocate all", ()),
    ("unlisten *", ()),
    ("select pg_catalog.pg_advisory_unlock_all()", ()),
    ("discard sequences", ()),
    ("discard temp", ()),
)
"""DISCARD ALL, statement by statement, but for the plans."""
_RINSE_PLANS: Final[Statements] = (*_RINSE, ("discard plans", ()))


def clean_behind(driver: Any, *, is_last: bool) -> None:
    """Let the session be cleaned in the round trip of the COMMIT that comes next: for the pool, or for a rinse.

    Whoever cleans it afterwards sees that it is done, unless the session was spoken through since.
    """
    driver.behind = DISCARD_ALL if is_last else _rinse_of(driver)


def on_reset(dbapi_connection: Any, record: ConnectionPoolEntry, state: PoolResetState) -> None:
    """Leave nothing behind: no transaction, setting, listener, lock, cursor, temporary object, plan or fence."""
    if state.terminate_only or not state.asyncio_safe:
        # About to be closed, which forgets more than any reset.
        return
    driver: Any = record.driver_connection
    driver.forget()
    if not is_settled(driver):
        record.invalidate()
        return
    _clean(dbapi_connection, driver, DISCARD_ALL)
    driver.changed_settings = False


def rinse(pooled: PoolProxiedConnection) -> bool:
    """Clean a session for its next user of the same tenant; return False when it is lost, or cannot be cleaned so."""
    if not pooled.is_valid or pooled.is_detached:
        return False
    driver: Any = pooled.driver_connection
    statements = _rinse_of(driver)
    driver.forget()
    try:
        if is_settled(driver):
            _clean(pooled.dbapi_connection, driver, statements)
            # In a transaction, unlike DISCARD ALL, it passes too, and would be undone with it.
            if driver.autocommit and driver.info.transaction_status == TransactionStatus.IDLE:
                driver.changed_settings = False
                return True
    except InsufficientPrivilege:
        # No superuser has bootstrapped this version. What the pool does needs no right.
        log.info("session not rinsed: let a superuser run `partywall bootstrap`")
        return False
    except DriverError as error:
        log.warning("session not rinsed: %s", type(error).__name__)
    pooled.invalidate()
    return False


def _rinse_of(driver: Any) -> Statements:
    return _RINSE_PLANS if driver.changed_settings else _RINSE


def _clean(dbapi_connection: Any, driver: Any, statements: Statements) -> None:
    dbapi_connection.rollback()
    if driver.done_behind != statements:
        _send_to_clean(dbapi_connection, "; ".join(sql for sql, _ in statements))
    # What was sent to a LISTEN of this user is not for the next one.
    driver._notifies_backlog.clear()


def _send_to_clean(dbapi_connection: Any, statements: str) -> None:
    cursor = dbapi_connection.cursor()
    try:
        cursor.execute(statements)
    finally:
        cursor.close()
