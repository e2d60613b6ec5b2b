"""The one pooled connection that all sessions of a test share, synchronous or on an event loop."""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection

from db.context import TenantContext
from db.engine import (
    ONE_STATEMENT,
    TENANT,
    async_engine_for,
    dispose_async_engines,
    dispose_engines,
    engine_for,
)
from db.roles import Role

Value = TypeVar("Value")

_PLATFORM: dict[str, Any] = {TENANT: None, ONE_STATEMENT: True}


class Room(Protocol):
    """A connection to be checked out, used and given back, by one tenant after the other."""

    def check_out(self) -> None: ...

    def do(self, work: Callable[[Connection], Value]) -> Value:
        """Return what `work` returns for the connection that is checked out."""

    def give_back(self) -> None: ...

    def empty(self) -> None:
        """Close the connection: the next example has one of its own."""

    def close(self) -> None: ...


class SyncRoom:
    """On the engine of workers."""

    def check_out(self) -> None:
        self._connection = engine_for(Role.WORKER).execution_options(**_PLATFORM).connect()

    def do(self, work: Callable[[Connection], Value]) -> Value:
        return work(self._connection)

    def give_back(self) -> None:
        self._connection.close()

    def empty(self) -> None:
        dispose_engines()

    def close(self) -> None:
        self.empty()


class AsyncRoom:
    """On the asyncio engine of the API, with the rights of workers."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._connection: AsyncConnection

    def check_out(self) -> None:
        async def connect() -> AsyncConnection:
            return await async_engine_for(Role.WORKER).execution_options(**_PLATFORM).connect()

        self._connection = self._loop.run_until_complete(connect())

    def do(self, work: Callable[[Connection], Value]) -> Value:
        return self._loop.run_until_complete(self._connection.run_sync(work))

    def give_back(self) -> None:
        self._loop.run_until_complete(self._connection.close())

    def empty(self) -> None:
        self._loop.run_until_complete(dispose_async_engines())

    def close(self) -> None:
        self.empty()
        self._loop.close()


def enter(connection: Connection, context: TenantContext) -> None:
    """Make every later transaction of the connection the tenant's, as a session's doors do."""
    options: dict[str, Any] = {TENANT: context, ONE_STATEMENT: False}
    connection.commit()
    connection.execution_options(**options)
