"""What a tenant's context costs on the wire: nothing. It is cheaper than having none."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, create_engine, text

from bench.counting_proxy import CountingProxy
from db import attempts, jobs
from db.bundle_connections import bundle_connections
from db.credentials import authenticate
from db.dsn import plain_url
from db.engine import TENANT, async_engine_for, dispose_async_engines, dispose_engines, engine_for
from db.roles import Role
from db.session import (
    TenantSession,
    async_platform_connection,
    async_tenant_session,
    become,
    platform_connection,
    session_on,
    tenant_session,
)
from tests.databases import Database, TestTenant
from tests.db.work import claim_of, claim_one, dispatch_all, enqueue_one, start_one

pytestmark = pytest.mark.usefixtures("pool_of_one")


@pytest.fixture
def proxy(database: Database, acme: TestTenant, monkeypatch: pytest.MonkeyPatch) -> Iterator[CountingProxy]:
    """Every role's connections lead through it."""
    with CountingProxy.before(database.admin_url) as proxy:
        for name, value in database.environment.items():
            monkeypatch.setenv(name, proxy.url(value))
        dispose_engines()
        yield proxy
        dispose_engines()


def test_a_bare_psycopg_transaction_with_one_statement_takes_three(database: Database, proxy: CountingProxy) -> None:
    with psycopg.connect(proxy.url(database.url(Role.WORKER))) as connection, proxy.counting() as trips:
        connection.execute("select 1")
        connection.commit()

    assert trips.count == 3


def test_a_bare_sqlalchemy_transaction_with_one_statement_takes_three(database: Database, proxy: CountingProxy) -> None:
    engine = create_engine(plain_url(proxy.url(database.url(Role.WORKER))))
    with engine.connect() as connection:
        connection.execute(text("select 1"))
        connection.commit()
        with proxy.counting() as trips:
            connection.execute(text("select 1"))
            connection.commit()
    engine.dispose()

    assert trips.count == 3


@pytest.fixture
def session(acme: TestTenant, proxy: CountingProxy) -> Iterator[TenantSession]:
    """A tenant's session that keeps its connection from one transaction to the next, opened and idle."""
    options: dict[str, Any] = {TENANT: acme.context}
    with engine_for(Role.API).connect().execution_options(**options) as connection:
        yield session_on(connection, acme.context)


def test_a_tenants_transaction_with_one_statement_takes_two(
    acme: TestTenant, proxy: CountingProxy, session: TenantSession
) -> None:
    with proxy.counting() as trips:
        found = session.execute(text("select partywall.current_tenant_id()")).scalar_one()
        session.commit()

    assert found == acme.id
    assert trips.count == 2


def test_each_further_statement_takes_one_more(proxy: CountingProxy, session: TenantSession) -> None:
    with proxy.counting() as trips:
        for _ in range(5):
            session.execute(text("select partywall.current_tenant_id()"))
        session.commit()

    assert trips.count == 5 + 1


def test_a_transaction_that_never_speaks_takes_none(proxy: CountingProxy, session: TenantSession) -> None:
    with proxy.counting() as trips:
        session.connection()
        session.commit()
        session.connection()
        session.rollback()

    assert trips.count == 0


def test_the_async_door_takes_two_as_well(acme: TestTenant, proxy: CountingProxy) -> None:
    options: dict[str, Any] = {TENANT: acme.context}

    async def count() -> int:
        async with async_engine_for(Role.API).connect() as connection:
            await connection.execution_options(**options)
            with proxy.counting() as trips:
                found = await connection.scalar(text("select partywall.current_tenant_id()"))
                await connection.commit()
            assert found == acme.id
        await dispose_async_engines()
        return trips.count

    assert asyncio.run(count()) == 2


def test_a_platform_call_takes_one(acme: TestTenant, proxy: CountingProxy) -> None:
    with platform_connection(Role.API) as connection:
        authenticate(connection, acme.key)
        with proxy.counting() as trips:
            authenticate(connection, acme.key)

    assert trips.count == 1


def test_an_async_platform_call_takes_one(acme: TestTenant, proxy: CountingProxy) -> None:
    async def count() -> int:
        async with async_platform_connection(Role.API) as connection:
            await connection.run_sync(lambda sync: authenticate(sync, acme.key))
            with proxy.counting() as trips:
                await connection.run_sync(lambda sync: authenticate(sync, acme.key))
        await dispose_async_engines()
        return trips.count

    assert asyncio.run(count()) == 1


def test_a_platform_call_with_a_context_takes_one(acme: TestTenant, proxy: CountingProxy) -> None:
    enqueue_one(acme)
    attempt = claim_one(acme)
    with platform_connection(Role.WORKER) as connection:
        connection.execute(text("select 1"))
        connection.commit()
        become(connection, attempt.context)

    with proxy.counting() as trips:
        attempts.report_progress(attempt.context, current=1, total=2, note="half")

    # The call, and DISCARD ALL when its connection goes back.
    assert trips.count == 1 + 1


def test_a_whole_job_with_one_statement_takes_three(acme: TestTenant, proxy: CountingProxy) -> None:
    enqueue_one(acme)
    (message,) = dispatch_all()
    with platform_connection(Role.WORKER) as connection:
        connection.execute(text("select 1"))
    with proxy.counting() as claiming:
        (attempt,) = claim_of(message)
    with ExitStack() as stack:
        connection = stack.enter_context(platform_connection(Role.WORKER))
        become(connection, attempt.context)
        attempts.fence(connection)

        with proxy.counting() as body:
            connection.execute(text("select partywall.current_tenant_id()"))
        with proxy.counting() as finishing:
            attempts.finish(connection, result={"rows": 1})
            # Back to the pool: it was cleaned in the round trip of its COMMIT.
            stack.close()

    # claim_of() gives its connection back: DISCARD ALL is the second.
    assert claiming.count == 1 + 1
    assert (body.count, finishing.count) == (1, 1)


def test_a_job_of_a_bundle_takes_two(acme: TestTenant, proxy: CountingProxy) -> None:
    found = [start_one(acme), start_one(acme)]
    with bundle_connections(Role.WORKER) as connections:
        connections.next().execute(text("select 1"))
        connections.next()
        with proxy.counting() as trips:
            for attempt in found:
                connection = connections.next()
                become(connection, attempt.context)
                attempts.fence(connection)
                connection.execute(text("select partywall.current_tenant_id()"))
                attempts.finish(connection, result=None, is_last=attempt is found[-1])

    # The first connection that follows none that was finished is rinsed by itself.
    assert trips.count == 1 + 2 * 2


def test_a_whole_async_job_takes_as_many(acme: TestTenant, proxy: CountingProxy) -> None:
    enqueue_one(acme)
    attempt = claim_one(acme)

    def enter(connection: Connection) -> None:
        become(connection, attempt.context)
        attempts.fence(connection)

    async def count() -> tuple[int, int]:
        async with async_platform_connection(Role.WORKER) as connection:
            await connection.run_sync(enter)
            with proxy.counting() as body:
                await connection.scalar(text("select partywall.current_tenant_id()"))
            with proxy.counting() as finishing:
                await connection.run_sync(lambda sync: attempts.finish(sync, result={"rows": 1}))
        await dispose_async_engines()
        return body.count, finishing.count

    assert asyncio.run(count()) == (1, 1)


def test_finishing_a_job_that_touched_no_table_takes_one(acme: TestTenant, proxy: CountingProxy) -> None:
    enqueue_one(acme)
    attempt = claim_one(acme)
    with platform_connection(Role.WORKER) as connection:
        become(connection, attempt.context)
        attempts.fence(connection)
        with proxy.counting() as trips:
            attempts.finish(connection, result=None)

    with tenant_session(acme.context, role=Role.API) as session:
        assert jobs.get_job(session, attempt.job_id).state == "succeeded"
    assert trips.count == 1


def test_a_commit_halfway_through_a_fenced_body_takes_one(acme: TestTenant, proxy: CountingProxy) -> None:
    enqueue_one(acme)
    attempt = claim_one(acme)
    with platform_connection(Role.WORKER) as connection:
        become(connection, attempt.context)
        attempts.fence(connection)
        connection.execute(text("select 1"))
        with proxy.counting() as trips:
            connection.commit()

    assert trips.count == 1


@pytest.mark.parametrize("ending", ["commit", "rollback"])
def test_going_back_to_the_pool_takes_one(ending: str, acme: TestTenant, proxy: CountingProxy) -> None:
    options: dict[str, Any] = {TENANT: acme.context}
    connection = engine_for(Role.API).connect().execution_options(**options)
    connection.execute(text("select 1"))
    getattr(connection, ending)()
    with proxy.counting() as trips:
        connection.close()

    assert trips.count == 1


@pytest.mark.parametrize("role", [Role.API, Role.WORKER])
def test_a_session_costs_two_in_all(role: Role, acme: TestTenant, proxy: CountingProxy) -> None:
    engine_for(role).connect().close()

    with proxy.counting() as trips, tenant_session(acme.context, role=role) as session:
        session.execute(text("select 1"))

    assert trips.count == 2


def test_an_async_session_too(acme: TestTenant, proxy: CountingProxy) -> None:
    async def count() -> int:
        async with async_engine_for(Role.API).connect():
            pass
        with proxy.counting() as trips:
            async with async_tenant_session(acme.context, role=Role.API) as session:
                await session.execute(text("select 1"))
        await dispose_async_engines()
        return trips.count

    assert asyncio.run(count()) == 2


def test_checking_out_an_idle_connection_takes_none(proxy: CountingProxy) -> None:
    engine_for(Role.API).connect().close()

    with proxy.counting() as trips:
        connection = engine_for(Role.API).raw_connection()

    connection.close()
    assert trips.count == 0
