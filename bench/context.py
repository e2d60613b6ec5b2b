"""What a tenant's context costs: a transaction's, a session's, and a statement's on a table of a million rows.

bench/README.md says what is compared with what, and which clock counts where.
"""

from collections.abc import Callable, Mapping, Sequence
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

CONNECTIONS = 3
"""Per contender, because two backends that do the same differ by some percent all their lives."""

Taken = dict[str, Samples]
"""Samples by contender."""
Measure = Callable[[Contender, Connection], Sample]

_READ_ALL = """
    select
        set_config('enable_indexscan', 'off', true),
        set_config('enable_indexonlyscan', 'off', true),
        set_config('enable_bitmapscan', 'off', true),
        set_config('max_parallel_workers_per_gather', '0', true)
"""


def run(rows: int = 1_000_000, tenants: int = 1000, rounds: int = 15) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Return every figure by name, and a row for each thing that each contender was measured at."""
    with running_server(durable=False, roomy=True) as server:
        _lead(server, through=None)
        context = new_tenant()
        row_id = load(server, tenant_id=context.tenant_id, rows=rows, tenants=tenants)

        with CountingProxy.before(server.admin_url()) as proxy:
            url = _lead(server, through=proxy)
            with contenders(url, context, row_id=row_id) as all_:
                *unmapped, _ = all_
                figures = _round_trips(proxy, unmapped)
                with proxy.delaying(0.0005):
                    taken = {"transaction, 1 ms away": _alternate(unmapped, _transactions(count=8), rounds)}
            dispose_engines()

        url = _lead(server, through=None)
        with contenders(url, context, row_id=row_id, connections=CONNECTIONS) as all_:
            *unmapped, _ = all_
            pids = [pid for each in unmapped for pid in each.backend_pids]
            for apart, where in ((False, "one core"), (True, "two cores")):
                with on_cores(pids, apart=apart):
                    taken[f"transaction, {where}"] = _alternate(unmapped, _transactions(count=8), 5 * rounds)
            with on_cores(pids, apart=True):
                for name, measure in _STATEMENTS.items():
                    taken[name] = _alternate(all_, measure, rounds)
            taken["session, two cores"] = _alternate(unmapped, _session, rounds)
        dispose_engines()

    measured = [_row(what, name, samples) for what, each in taken.items() for name, samples in each.items()]
    return figures | _figures(taken), measured


def _lead(server: EmbeddedPostgres, *, through: CountingProxy | None) -> str:
    """Point every role at the server and return the worker's URL."""
    dispose_engines()
    urls = {role: server.url(role.login, PASSWORD) for role in Role}
    if through is not None:
        urls = {role: through.url(url) for role, url in urls.items()}
    point_roles_at(urls)
    return urls[Role.WORKER]


def _alternate(all_: Sequence[Contender], measure: Measure, rounds: int) -> Taken:
    """Return samples of each contender from rounds in which they take turns, another one first in each round."""
    taken: dict[str, list[Sample]] = {contender.name: [] for contender in all_}
    for number in range(rounds):
        first = number % len(all_)
        for contender in (*all_[first:], *all_[:first]):
            taken[contender.name] += [measure(contender, connection) for connection in contender.connections]
    return {name: Samples(samples) for name, samples in taken.items()}


def _round_trips(proxy: CountingProxy, all_: Sequence[Contender]) -> dict[str, float]:
    figures: dict[str, float] = {}
    for contender in all_:
        (connection,) = contender.connections
        for _ in range(10):
            # `prepared` prepares meanwhile, and everyone has connected.
            _transaction(connection)
        with proxy.counting() as one:
            _transaction(connection)
        with proxy.counting() as two:
            connection.execute(*ONE_VALUE)
            _transaction(connection)
        figures[f"round_trips_per_transaction_{contender.name}"] = one.count
        figures[f"round_trips_per_query_{contender.name}"] = two.count - one.count
    return figures


def _transaction(connection: Connection) -> None:
    connection.execute(*ONE_VALUE).close()
    connection.commit()


def _transactions(*, count: int) -> Measure:
    def measure(contender: Contender, connection: Connection) -> Sample:
        _transaction(connection)
        return sample(lambda: _transaction(connection), count=count, backend_pid=backend_pid(connection))

    return measure


def _session(contender: Contender, connection: Connection) -> Sample:
    """One transaction on a connection out of the pool that goes back to it."""

    def session() -> None:
        with connection.engine.connect() as another:
            _transaction(another)

    with connection.engine.connect() as another:
        pid = backend_pid(another)
    with on_cores([pid], apart=True):
        return sample(session, count=20, backend_pid=pid)


def _as_called(ask: Callable[[Contender], Question], *, count: int, reading_all: bool = False) -> Measure:
    """Measure a statement in an open transaction, as whoever calls SQLAlchemy waits for it."""

    def measure(contender: Contender, connection: Connection) -> Sample:
        question = ask(contender)
        connection.execute(*ONE_VALUE).close()
        if reading_all:
            connection.exec_driver_sql(_READ_ALL).close()
        else:
            connection.execute(*question).close()
        try:
            return sample(
                lambda: connection.execute(*question).close(), count=count, backend_pid=backend_pid(connection)
            )
        finally:
            connection.rollback()

    return measure


def _back_to_back(ask: Callable[[Contender], Question], *, count: int) -> Measure:
    """Measure a statement in an open transaction that follows upon itself: what PostgreSQL alone does for it."""

    def measure(contender: Contender, connection: Connection) -> Sample:
        clause, bound = ask(contender)
        statement = str(clause.compile(dialect=connection.dialect))
        connection.execute(*ONE_VALUE).close()
        driver: Any = connection.connection.driver_connection

        def statements() -> None:
            with driver.pipeline():
                for _ in range(count):
                    driver.execute(statement, bound)

        statements()
        try:
            return sample(statements, count=1, each=count, backend_pid=backend_pid(connection))
        finally:
            connection.rollback()

    return measure


_TRANSACTIONS: Mapping[str, str] = {
    "transaction, one core": "work",
    "transaction, two cores": "wall",
    "transaction, 1 ms away": "wall",
    "session, two cores": "wall",
}
"""Which clock counts. On one core the wall shows who else is there; what both ends work is what they take of it."""

_STATEMENTS: Mapping[str, Measure] = {
    "lookup": _as_called(Contender.lookup, count=30),
    "count": _as_called(Contender.count, count=30),
    "sum": _as_called(Contender.sum, count=15),
    "full aggregate": _as_called(Contender.sum, count=2, reading_all=True),
    "lookup, back to back": _back_to_back(Contender.lookup, count=100),
    "count, back to back": _back_to_back(Contender.count, count=50),
    # Last, because what it inserts and rolls back stays in the indexes.
    "insert": _as_called(Contender.insert, count=3),
}


def _figures(taken: Mapping[str, Taken]) -> dict[str, float]:
    figures: dict[str, float] = {}
    for what, clock in _TRANSACTIONS.items():
        for other in ("none", "setting"):
            figures[f"{_word(what)}_over_{other}"] = taken[what]["ours"].over(taken[what][other], clock)
    for what in _STATEMENTS:
        for name in ("ours", "mapped"):
            mine, by_hand = taken[what][name], taken[what]["none"]
            for clock in ("wall", "backend"):
                figures[f"{_word(what)}_{name}_over_where_{clock}"] = mine.over(by_hand, clock)
                figures[f"{_word(what)}_{name}_beyond_where_{clock}_microseconds"] = mine.beyond(by_hand, clock)
    return figures


def _word(what: str) -> str:
    return what.replace(",", "").replace(" ", "_")


def _row(what: str, contender: str, samples: Samples) -> dict[str, Any]:
    return {
        "what": what,
        "contender": contender,
        "wall µs": samples.median("wall"),
        "least": samples.least("wall"),
        "client CPU µs": samples.median("client"),
        "backend CPU µs": samples.median("backend"),
        "least ": samples.least("backend"),
    }
