"""A body's connection is its own: another thread may outlive the body, another body may be another tenant's."""

import asyncio
import threading
from collections.abc import Callable
from uuid import UUID

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db import attempts
from db.errors import ForeignConnectionError
from db.roles import Role
from db.session import platform_connection, session_on
from tests.databases import Database, TestTenant
from tests.db import test_fence_async
from tests.db.test_fence_async import run
from tests.db.work import WRITE, body_of, effects, start_one

HELLO = text("select 1")


def in_a_thread(work: Callable[[], object]) -> BaseException | None:
    """Return what the work raised in a thread of its own."""
    raised: list[BaseException] = []

    def attempt() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - handed to the test
            raised.append(error)

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join(timeout=30)
    assert not thread.is_alive()
    return raised[0] if raised else None


def raw_statement(connection: Connection) -> None:
    connection.connection.cursor().execute("select 1")


def server_side_cursor(connection: Connection) -> None:
    connection.execution_options(stream_results=True).execute(HELLO).all()


def copied(connection: Connection) -> None:
    driver = connection.connection.driver_connection
    assert driver is not None
    with driver.cursor().copy("copy (select 1) to stdout") as copy:
        list(copy)


@pytest.mark.parametrize(
    "use",
    [
        lambda connection: connection.execute(HELLO),
        lambda connection: connection.execute(HELLO, [{}, {}]),
        raw_statement,
        server_side_cursor,
        copied,
    ],
    ids=["execute", "executemany", "raw cursor", "server-side cursor", "copy"],
)
def test_another_thread_cannot_speak_on_a_bodys_connection(
    database: Database, acme: TestTenant, use: Callable[[Connection], object]
) -> None:
    attempt = start_one(acme)
    with body_of(attempt) as connection:
        connection.execute(WRITE)

        refused = in_a_thread(lambda: use(connection))

        assert isinstance(refused, ForeignConnectionError)
        attempts.finish(connection, result=None)
    assert effects(database) == 1


def test_another_thread_cannot_commit_what_the_body_did(database: Database, acme: TestTenant) -> None:
    with body_of(start_one(acme)) as connection:
        connection.execute(WRITE)

        assert isinstance(in_a_thread(connection.commit), ForeignConnectionError)
        attempts.abandon(connection)
    assert effects(database) == 0


def test_another_thread_cannot_begin_the_bodys_transaction(acme: TestTenant) -> None:
    attempt = start_one(acme)
    with body_of(attempt) as connection:
        session = session_on(connection, attempt.context)

        refused = in_a_thread(lambda: session.execute(HELLO))

        assert isinstance(refused, ForeignConnectionError)


def test_a_thread_of_its_own_speaks_on_a_connection_of_its_own(acme: TestTenant) -> None:
    def speak() -> None:
        with platform_connection(Role.WORKER) as connection:
            connection.execute(HELLO)

    with body_of(start_one(acme)):
        assert in_a_thread(speak) is None


def test_another_thread_cannot_speak_on_an_async_bodys_connection(acme: TestTenant) -> None:
    attempt = start_one(acme)

    async def body() -> BaseException | None:
        async with test_fence_async.body_of(attempt) as connection:
            await connection.execute(HELLO)
            return await asyncio.to_thread(in_a_thread, lambda: asyncio.run(_use(connection)))

    async def _use(connection: object) -> None:
        await connection.execute(HELLO)  # type: ignore[attr-defined]

    assert isinstance(run(body()), ForeignConnectionError)


def test_another_body_on_the_same_loop_cannot_speak_on_it(acme: TestTenant, zeta: TestTenant) -> None:
    """As when both keep their job in a global variable."""
    first, second = start_one(acme), start_one(zeta)
    shared: list[AsyncConnection] = []
    opened, told = asyncio.Event(), asyncio.Event()

    async def keep() -> UUID:
        async with test_fence_async.body_of(first) as connection:
            shared.append(connection)
            await connection.execute(HELLO)
            opened.set()
            await told.wait()
            found: UUID = await connection.scalar(text("select partywall.current_tenant_id()"))
            return found

    async def take() -> None:
        async with test_fence_async.body_of(second) as connection:
            await connection.execute(HELLO)
            await opened.wait()
            with pytest.raises(ForeignConnectionError):
                await shared[0].execute(HELLO)
            told.set()

    async def both() -> UUID:
        kept, _ = await asyncio.gather(keep(), take())
        return kept

    assert run(both()) == acme.id
