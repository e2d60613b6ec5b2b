"""What a hostile or careless body may leave on its connection, and how the next user looks for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection

LEFTOVERS: Mapping[str, str] = {
    "a setting": "set partywall.left_behind = 'yes'",
    "a setting by function": "select set_config('partywall.left_behind', 'yes', false)",
    "a stashed token": "select set_config('partywall.token', current_setting('partywall.token'), false)",
    "row security off": "set row_security = off",
    "a search path": "set search_path = public",
    "a statement timeout": "set statement_timeout = '1ms'",
    "strings that escape": "set standard_conforming_strings = off",
    "read only": "set default_transaction_read_only = on",
    "a role": "set role none",
    "a listener": "listen left_behind",
    "a session lock": "select pg_advisory_lock(42)",
    "a cursor that holds": "declare left_behind cursor with hold for select 1",
    "a prepared statement": "prepare left_behind as select 1",
}
"""One SQL statement per kind of leftover that the worker's role is able to leave."""

_LOOK = text("""
    select
        pg_backend_pid() as backend_pid,
        coalesce(current_setting('partywall.left_behind', true), '') as setting,
        coalesce(current_setting('partywall.token', true), '') as token,
        current_setting('row_security') as row_security,
        current_setting('search_path') as search_path,
        current_setting('statement_timeout') as statement_timeout,
        current_setting('standard_conforming_strings') as escaping,
        current_setting('default_transaction_read_only') as read_only,
        current_user = session_user as same_role,
        (select count(*) from pg_listening_channels()) as listeners,
        (select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()) as locks,
        (select count(*) from pg_cursors where name <> '') as cursors,
        (select count(*) from pg_prepared_statements) as prepared,
        pg_my_temp_schema() = 0 as no_temporary_schema,
        (select count(*) from pg_locks where locktype = 'virtualxid' and pid = pg_backend_pid()) as transactions
""")

CLEAN: Mapping[str, Any] = {
    "setting": "",
    "token": "",
    "row_security": "on",
    "search_path": '"$user", public',
    "statement_timeout": "0",
    "escaping": "on",
    "read_only": "off",
    "same_role": True,
    "listeners": 0,
    "locks": 0,
    "cursors": 0,
    "prepared": 0,
    "no_temporary_schema": True,
    "transactions": 1,
}


@dataclass(frozen=True)
class Found:
    """What the next user of a connection finds."""

    backend_pid: int
    state: Mapping[str, Any]
    opening: tuple[Any, ...]
    fence: Any
    notifications: int


def look(connection: Connection) -> Found:
    """Return the state of a connection that was just checked out."""
    driver: Any = connection.connection.driver_connection
    opening, fence, notifications = driver.opening, driver.fence, len(driver._notifies_backlog)
    return _found(connection.execute(_LOOK).one()._asdict(), opening, fence, notifications)


async def look_async(connection: AsyncConnection) -> Found:
    """The same for asyncio."""
    driver: Any = (await connection.get_raw_connection()).driver_connection
    opening, fence, notifications = driver.opening, driver.fence, len(driver._notifies_backlog)
    return _found((await connection.execute(_LOOK)).one()._asdict(), opening, fence, notifications)


def _found(row: dict[str, Any], opening: tuple[Any, ...], fence: Any, notifications: int) -> Found:
    return Found(row.pop("backend_pid"), row, opening, fence, notifications)


def assert_clean(found: Found, *, backend_pid: int | None) -> None:
    """Fail unless nothing was left, and on that very backend when one is named."""
    assert found.state == CLEAN
    assert (found.opening, found.fence, found.notifications) == ((), None, 0)
    if backend_pid is not None:
        assert found.backend_pid == backend_pid
