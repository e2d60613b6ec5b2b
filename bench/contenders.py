"""Who is compared: no context at all, the usual setting, and ours; each asks the same of its own table."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, TextClause, create_engine, event, text

from bench.million import BY_HAND, OURS, SETTING
from db.context import TenantContext
from db.dsn import plain_url
from db.engine import TENANT, engine_for
from db.roles import Role

Question = tuple[TextClause, Mapping[str, Any]]

ONE_VALUE: Question = (text("select cast(:number as integer)"), {"number": 1})
"""A statement that touches no table and binds a value, as nearly every statement does."""

ROWS_INSERTED = 1000


@dataclass(frozen=True)
class Contender:
    """One way to keep to a tenant's rows, with connections that go that way."""

    name: str
    table: str
    filters: bool
    """Whether its statements say `where tenant_id = ...`."""
    connections: Sequence[Connection]
    tenant_id: UUID
    row_id: UUID

    @property
    def backend_pids(self) -> list[int]:
        """The processes at the other end of the connections, in their order."""
        return [backend_pid(connection) for connection in self.connections]

    def lookup(self) -> Question:
        """One row by its key."""
        return self._select("amount", "id = :row", row=self.row_id)

    def count(self) -> Question:
        """How many rows the tenant has."""
        return self._select("count(*)")

    def sum(self) -> Question:
        """A sum over the tenant's rows."""
        return self._select("sum(amount)")

    def insert(self) -> Question:
        """A thousand rows of the tenant in one statement."""
        insert = f"""
            insert into {self.table} (tenant_id, id, amount, note)
            select :tenant, gen_random_uuid(), number, 'a note of about the usual length, number ' || number
            from generate_series(1, {ROWS_INSERTED}) as number
        """  # noqa: S608 - constants of these modules
        return text(insert), {"tenant": self.tenant_id}

    def _select(self, what: str, *conditions: str, **bound: Any) -> Question:
        if self.filters:
            conditions, bound = ("tenant_id = :tenant", *conditions), bound | {"tenant": self.tenant_id}
        where = f" where {' and '.join(conditions)}" if conditions else ""
        return text(f"select {what} from {self.table}{where}"), bound  # noqa: S608


def backend_pid(connection: Connection) -> int:
    """Return the process id of a connection's backend, without asking it."""
    driver: Any = connection.connection.driver_connection
    return int(driver.info.backend_pid)


@contextmanager
def contenders(url: str, context: TenantContext, *, row_id: UUID, connections: int = 1) -> Iterator[list[Contender]]:
    """Open the contenders' connections, all as the worker of `url`. All send unnamed statements, but `prepared`.

    - `none` is SQLAlchemy on psycopg as it comes, with the tenant in every WHERE.
    - `prepared` is the same with psycopg's own habit of preparing what it has seen five times. Ours may not: what is
      prepared can be poisoned.
    - `setting` says `set_config()` in a listener to "begin", as the usual recipe has it.
    - `ours` is the context of this project, with SQL that names no tenant.
    - `mapped` is `ours` on the same connections, with the predicate that a `TenantSession` adds for mapped classes.
    """
    unnamed: dict[str, Any] = {"prepare_threshold": None}
    options: dict[str, Any] = {TENANT: context}
    engines = {
        "none": create_engine(plain_url(url), connect_args=unnamed),
        "prepared": create_engine(plain_url(url)),
        "setting": _engine_with_setting(url, context.tenant_id, unnamed),
        "ours": engine_for(Role.WORKER).execution_options(**options),
    }
    with ExitStack() as opened:
        held = {
            name: [opened.enter_context(engine.connect()) for _ in range(connections)]
            for name, engine in engines.items()
        }
        yield [
            Contender("none", BY_HAND, True, held["none"], context.tenant_id, row_id),
            Contender("prepared", BY_HAND, True, held["prepared"], context.tenant_id, row_id),
            Contender("setting", SETTING, False, held["setting"], context.tenant_id, row_id),
            Contender("ours", OURS, False, held["ours"], context.tenant_id, row_id),
            Contender("mapped", OURS, True, held["ours"], context.tenant_id, row_id),
        ]
    for engine in engines.values():
        engine.dispose()


def _engine_with_setting(url: str, tenant_id: UUID, arguments: dict[str, Any]) -> Engine:
    engine = create_engine(plain_url(url), connect_args=arguments)

    @event.listens_for(engine, "begin")
    def enter(connection: Connection) -> None:
        connection.exec_driver_sql("select set_config('app.tenant', %s, true)", (str(tenant_id),))

    return engine
