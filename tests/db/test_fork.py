"""A process that forks after it used the database, as Celery's prefork pool does."""

import asyncio
import gc
import json
import os
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text

from db.engine import async_engine_for, dispose_async_engines, engine_for
from db.roles import Role
from db.session import async_platform_connection, platform_connection, tenant_session
from tests.databases import Database, TestTenant

pytestmark = [
    pytest.mark.usefixtures("pool_of_one"),
    # Celery forks with threads about, and so does pytest.
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]


def in_child(act: Callable[[], Any]) -> Any:
    """Return what `act` returned in a forked child, as JSON carries it; fail when the child did."""
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.write(writable, json.dumps(act()).encode())
            code = 0
        except Exception:  # noqa: BLE001 - the edge: a child of a test may not go on as a second pytest
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(writable)
    with os.fdopen(readable) as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    return json.loads(said)


def backend() -> int:
    with platform_connection(Role.WORKER) as connection:
        pid: int = connection.execute(text("select pg_backend_pid()")).scalar_one()
        return pid


def test_a_child_opens_a_connection_of_its_own_and_the_parents_goes_on_working(acme: TestTenant) -> None:
    before = backend()

    children = [in_child(backend) for _ in range(3)]

    assert len({before, *children}) == 4
    assert backend() == before


def test_a_child_that_forgets_the_parents_connection_does_not_say_goodbye_for_it(acme: TestTenant) -> None:
    before = backend()

    def forget() -> None:
        engine_for(Role.WORKER)
        gc.collect()

    in_child(forget)

    assert backend() == before


def test_a_transaction_that_is_open_during_the_fork_is_untouched(acme: TestTenant) -> None:
    with tenant_session(acme.context, role=Role.WORKER) as session:
        session.execute(text("insert into app.notes (body) values ('before the fork')"))
        child = in_child(backend)
        session.execute(text("insert into app.notes (body) values ('after the fork')"))
        assert child != session.execute(text("select pg_backend_pid()")).scalar_one()

    with tenant_session(acme.context, role=Role.WORKER) as session:
        assert session.execute(text("select count(*) from app.notes")).scalar_one() == 2


def test_an_asyncio_engine_is_forgotten_too(database: Database) -> None:
    async def backend_and_engine() -> tuple[int, int]:
        async with async_platform_connection(Role.API) as connection:
            pid: int = (await connection.execute(text("select pg_backend_pid()"))).scalar_one()
        return pid, id(async_engine_for(Role.API))

    async def around() -> tuple[Any, Any, Any]:
        before = await backend_and_engine()
        child = in_child(lambda: _in_a_thread(backend_and_engine))
        after = await backend_and_engine()
        await dispose_async_engines()
        return before, child, after

    before, child, after = asyncio.run(around())

    assert before == after
    assert child[0] != before[0]


def _in_a_thread(ask: Callable[[], Any]) -> Any:
    # The child's main thread has inherited a running loop; asyncio refuses a second one there.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(ask())).result(10)
