"""What a tenant's context costs: a transaction's, a statement's, and on a table of a million rows.

Read bench/README.md for what is compared with what, and which clock counts where.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection

from bench.contenders import ONE_VALUE, Contender, Question, backend_pid, contenders
from bench.counting_proxy import CountingProxy
from bench.million import load
from bench.sampling import Sample, Samples, on_cores, sample
from bench.server import PASSWORD, new_tenant, point_roles_at, running_server
from cli.stack.postgres import EmbeddedPostgres
from db.engine import dispose_engines
from db.roles import Role

ROUNDS = 15
CONNECTIONS = 3
"""Per contender, because two backends that do the same differ by some percent all their lives."""

Taken = dict[str, Samples]
"""Samples by contender."""


def run(rows: int = 1_000_000, tenants: int = 1000) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Return every figure by name, and a row for each thing that each contender was measured at."""
    with running_server(durable=False) as server:
        _lead(server, through=None)
        context = new_tenant()
        row_id = load(server, tenant_id=context.tenant_id, rows=rows, tenants=tenants)
        figures, measured = {}, []

        with CountingProxy.before(server.admin_url()) as proxy:
            url = _lead(server, through=proxy)
            with contenders(url, context, row_id=row_id) as all_:
                figures |= _round_trips(proxy, all_)
                with proxy.delaying(0.0005):
                    at_a_distance = _alternate(all_, _transactions(count=8))
            dispose_engines()

        url = _lead(server, through=None)
        with contenders(url, context, row_id=row_id, connections=CONNECTIONS) as all_:
            pids = [pid for each in all_ for pid in each.backend_pids]
            with on_cores(pids, apart=False):
                together = _alternate(all_, _transactions(count=40))
            with on_cores(pids, apart=True):
                apart = _alternate(all_, _transactions(count=40))
                sessions = _alternate(all_, _sessions(count=20))
                asked = {name: _alternate(all_, ask) for name, ask in _STATEMENTS.items()}
        dispose_engines()

    figures |= _figures(at_a_distance, together, apart, asked)
    taken = {
        "transaction, one core": together,
        "transaction, two cores": apart,
        "transaction, 1 ms away": at_a_distance,
        "session": sessions,
    } | asked
    return figures, [_row(what, name, samples) for what, each in taken.items() for name, samples in each.items()]


def _lead(server: EmbeddedPostgres, *, through: CountingProxy | None) -> str:
    """Point every role at the server and return the worker's URL."""
    dispose_engines()
    urls = {role: server.url(role.login, PASSWORD) for role in Role}
    if through is not None:
        urls = {role: through.url(url) for role, url in urls.items()}
    point_roles_at(urls)
    return urls[Role.WORKER]


def _round_trips(proxy: CountingProxy, all_: Sequence[Contender]) -> dict[str, float]:
    figures: dict[str, float] = {}
    for contender in all_:
        (connection,) = contender.connections
        _transaction(connection, ONE_VALUE)
        for name, statements in (("", 1), ("_two_statements", 2)):
            with proxy.counting() as trips:
                for _ in range(statements):
                    connection.execute(*ONE_VALUE)
                connection.commit()
            figures[f"round_trips_{contender.name}{name}"] = trips.count
    return figures
