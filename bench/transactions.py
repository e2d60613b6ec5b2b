"""What a tenant's transaction costs, beside a bare one on the same server in the same run."""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, text

from bench.counting_proxy import CountingProxy
from bench.server import PASSWORD, new_tenant, point_roles_at, running_server
from db import accepting, attempts, dispatching
from db.attempts import WorkerIdentity
from db.context import TenantContext
from db.dsn import plain_url
from db.engine import TENANT, dispose_engines, engine_for
from db.liveness import is_alive
from db.roles import Role
from db.rows import uuid7
from db.session import become, platform_connection, tenant_session

ROUNDS = 7
TRANSACTIONS = 400
QUESTION = text("select 1")


def run() -> tuple[dict[str, float]]:
    """Return every figure by name."""
    with running_server() as server, CountingProxy.before(server.admin_url()) as proxy:
        direct = {role: server.url(role.login, PASSWORD) for role in Role}
        point_roles_at({role: proxy.url(url) for role, url in direct.items()})
        context = new_tenant()
        bare = create_engine(plain_url(proxy.url(direct[Role.API])))
        figures = _round_trips(proxy, bare, context)
        with proxy.delaying(0.0025):
            figures |= _rates(bare, context, count=40, suffix="_at_five_milliseconds")
        bare.dispose()
        dispose_engines()

        point_roles_at(direct)
        for suffix, arguments in (("", {}), ("_unnamed", {"prepare_threshold": None})):
            bare = create_engine(plain_url(direct[Role.API]), connect_args=arguments)
            figures |= _rates(bare, context, count=TRANSACTIONS, suffix=suffix)
            bare.dispose()
        figures |= _liveness()
        dispose_engines()
        return (figures,)


def _round_trips(proxy: CountingProxy, bare: Engine, context: TenantContext) -> dict[str, float]:
    figures: dict[str, float] = {}
    with bare.connect() as connection, _tenant_connection(context) as tenant:
        for name, each in (("bare", connection), ("tenant", tenant)):
            _transaction(each)
            with proxy.counting() as trips:
                _transaction(each)
            figures[f"round_trips_{name}"] = trips.count
    return figures | _round_trips_of_a_job(proxy, context)


def _round_trips_of_a_job(proxy: CountingProxy, context: TenantContext) -> dict[str, float]:
    with tenant_session(context, role=Role.API) as session:
        accepting.accept(session, task_name="bench", payload={}, queue="default", max_attempts=1)
    with platform_connection(Role.DISPATCHER) as connection:
        (job,) = dispatching.dispatch(
            connection, queues=["default"], known_tasks=None, batch_limit=1, in_flight_limit=1, resend_after_seconds=60
        )
    with platform_connection(Role.WORKER) as connection:
        connection.execute(QUESTION)
        connection.commit()
        with proxy.counting() as claiming:
            (attempt,) = attempts.claim(
                connection,
                tenant_id=job.tenant_id,
                job_ids=[job.job_id],
                nonce=job.nonce,
                task_name="bench",
                worker=WorkerIdentity(uuid7(), "bench"),
                lease_seconds=60,
                lifetime_seconds=60,
            )
        become(connection, attempt.context)
        attempts.fence(connection)
        connection.execute(QUESTION)
        with proxy.counting() as finishing:
            attempts.finish(connection, result=None)
    return {"round_trips_platform_call": claiming.count, "round_trips_finish": finishing.count}


def _rates(bare: Engine, context: TenantContext, *, count: int, suffix: str) -> dict[str, float]:
    with bare.connect() as connection, _tenant_connection(context) as tenant:
        bare_rate, tenant_rate = _alternate(lambda: _transaction(connection), lambda: _transaction(tenant), count)
    return {
        f"bare_transactions_per_second{suffix}": bare_rate,
        f"tenant_transactions_per_second{suffix}": tenant_rate,
        f"tenant_rate_over_bare{suffix}": tenant_rate / bare_rate,
    }


def _liveness() -> dict[str, float]:
    with platform_connection(Role.API) as connection:
        driver: Any = connection.connection.driver_connection

        def ping() -> None:
            connection.execute(QUESTION)
            connection.commit()

        checks, pings = _alternate(lambda: is_alive(driver), ping, TRANSACTIONS)
    return {"socket_check_microseconds": 1e6 / checks, "socket_check_over_ping": pings / checks}


def _alternate(one: Callable[[], object], other: Callable[[], object], count: int) -> tuple[float, float]:
    """Return the median rate of each, a second, from rounds that take turns."""
    rates: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        for does, seen in zip((one, other), rates, strict=True):
            started = time.perf_counter()
            for _ in range(count):
                does()
            seen.append(count / (time.perf_counter() - started))
    return statistics.median(rates[0]), statistics.median(rates[1])


def _transaction(connection: Connection) -> None:
    connection.execute(QUESTION)
    connection.commit()


@contextmanager
def _tenant_connection(context: TenantContext) -> Iterator[Connection]:
    options: dict[str, Any] = {TENANT: context}
    with engine_for(Role.API).execution_options(**options).connect() as connection:
        yield connection
