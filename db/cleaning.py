"""Cleaning a session: for whoever the pool lends it to next, and between the jobs of a bundle, all of one tenant."""

import logging
from typing import Any, Final

from psycopg import Error as DriverError
from psycopg.errors import InsufficientPrivilege
from psycopg.pq import TransactionStatus
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection, PoolResetState

from db.liveness import is_settled

log = logging.getLogger(__name__)


def on_reset(dbapi_connection: Any, record: ConnectionPoolEntry, state: PoolResetState) -> None:
    """Leave nothing behind: no transaction, setting, listener, lock, cursor, temporary object, plan or fence."""
    if state.terminate_only or not state.asyncio_safe:
        # About to be closed, which forgets more than any reset.
        return
    record.driver_connection.forget()  # type: ignore[union-attr]
    if not is_settled(record.driver_connection):
        record.invalidate()
        return
    _clean(dbapi_connection, record.driver_connection, "discard all")
    record.driver_connection.changed_settings = False  # type: ignore[union-attr]


def _clean(dbapi_connection: Any, driver: Any, statement: str) -> None:
    dbapi_connection.rollback()
    cursor = dbapi_connection.cursor()
    try:
        cursor.execute(statement)
    finally:
        cursor.close()
    # What was sent to a LISTEN of this user is not for the next one.
    driver._notifies_backlog.clear()


_RINSE: Final = (
    "close all; reset session authorization; reset all; deallocate all; unlisten *; "
    "select pg_catalog.pg_advisory_unlock_all(); discard sequences; discard temp"
)
"""DISCARD ALL, statement by statement, but for the plans."""
_RINSE_PLANS: Final = f"{_RINSE}; discard plans"


def rinse(pooled: PoolProxiedConnection) -> bool:
    """Clean a session for its next user of the same tenant; return False when it is lost, or cannot be cleaned so."""
    if not pooled.is_valid or pooled.is_detached:
        return False
    driver: Any = pooled.driver_connection
    statement = _RINSE_PLANS if driver.changed_settings else _RINSE
    driver.forget()
    try:
        if is_settled(driver):
            _clean(pooled.dbapi_connection, driver, statement)
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
