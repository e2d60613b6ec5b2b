"""All that can happen to a session, in any order: whoever reads sees its own rows, and finds nothing left behind."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import psycopg
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from sqlalchemy import Connection, NestedTransaction, text
from sqlalchemy.exc import DBAPIError, PendingRollbackError

from db.errors import NoTenantError
from tests.databases import TestTenant
from tests.db.leaving import LEFTOVERS, assert_clean, look
from tests.isolation.sessions.rooms import Room, enter

READ = text("select body from app.notes order by body")
ROWS = "select slug, body from app.notes inner join partywall.tenants on tenants.id = notes.tenant_id"
WRITE = text("insert into app.notes (body) values (:body)")

# With a time limit of a millisecond nothing could be said about what comes next.
LITTER = {name: statement for name, statement in LEFTOVERS.items() if name != "a statement timeout"}
IN_THE_WAY = ("row security off", "read only")
"""What keeps its own author from reading or writing for as long as it has the session."""


@dataclass
class World:
    """What the machine plays with."""

    room: Room
    admin: psycopg.Connection[Any]
    tenants: tuple[TestTenant, TestTenant]


@dataclass
class Visit:
    """One tenant's time with the session."""

    tenant: TestTenant
    backend_pid: int = 0
    pending: list[str] = field(default_factory=list)
    savepoints: list[tuple[NestedTransaction, int]] = field(default_factory=list)
    """Each with the number of pending rows at its time."""
    aborted: bool = False
    killed: bool = False
    left_context: bool = False
    """It ended its transaction in SQL, and with it its context."""
    in_its_own_way: bool = False

    def ended(self) -> None:
        """Forget what belonged to the transaction."""
        self.pending, self.savepoints = [], []
        self.aborted = self.left_context = False


class Sessions(RuleBasedStateMachine):
    """Two tenants take turns with one pooled connection."""

    world: ClassVar[World]

    def __init__(self) -> None:
        super().__init__()
        self.visit: Visit | None = None
        self.last_pid: int | None = None
        self.committed: dict[str, set[str]] = {tenant.slug: set() for tenant in self.world.tenants}
        self.written = 0
        self.world.admin.execute("delete from app.notes")

    @rule(index=st.integers(0, 1))
    @precondition(lambda self: self.visit is None)
    def check_out(self, index: int) -> None:
        """Whoever comes next finds nothing."""
        tenant = self.world.tenants[index]
        self.world.room.check_out()
        self.visit = Visit(tenant)
        found = self._do(look)
        self.visit.backend_pid = found.backend_pid
        assert_clean(found, backend_pid=None)
        self._do(lambda connection: enter(connection, tenant.context))

    @rule()
    @precondition(lambda self: self.can_speak and not self.out.in_its_own_way)
    def read(self) -> None:
        """Whoever reads sees its own rows and no other; without its context, nothing at all and loudly."""
        try:
            seen = set(self._do(lambda connection: connection.execute(READ).scalars().all()))
        except NoTenantError:
            assert self.out.left_context
            return
        assert seen == self.committed[self.out.tenant.slug] | set(self.out.pending)

    @rule()
    @precondition(lambda self: self.can_speak and not self.out.in_its_own_way and not self.out.left_context)
    def write(self) -> None:
        self.written += 1
        body = f"{self.out.tenant.slug} {self.written}"
        self._do(lambda connection: connection.execute(WRITE, {"body": body}))
        self.out.pending.append(body)

    @rule()
    @precondition(lambda self: self.is_out and not self.out.killed)
    def commit(self) -> None:
        self._do(lambda connection: connection.commit())
        if not self.out.aborted:
            self._keep()
        self.out.ended()

    @rule()
    @precondition(lambda self: self.is_out and not self.out.killed)
    def roll_back(self) -> None:
        self._do(lambda connection: connection.rollback())
        self.out.ended()

    @rule()
    @precondition(lambda self: self.can_speak and not self.out.left_context)
    def savepoint(self) -> None:
        nested = self._do(lambda connection: connection.begin_nested())
        self.out.savepoints.append((nested, len(self.out.pending)))

    @rule()
    @precondition(lambda self: self.has_a_savepoint)
    def roll_back_to_the_savepoint(self) -> None:
        nested, kept = self.out.savepoints.pop()
        self._do(lambda connection: nested.rollback())
        del self.out.pending[kept:]
        self.out.aborted = False

    @rule()
    @precondition(lambda self: self.has_a_savepoint and not self.out.aborted)
    def release_the_savepoint(self) -> None:
        nested, _ = self.out.savepoints.pop()
        self._do(lambda connection: nested.commit())

    @rule()
    @precondition(lambda self: self.can_speak)
    def err(self) -> None:
        assert self._fails("select 1 / 0")

    @rule(litter=st.sampled_from(sorted(LITTER)))
    @precondition(lambda self: self.can_speak)
    def leave_behind(self, litter: str) -> None:
        # A second cursor, or statement, of one name is an error.
        self._fails(LITTER[litter])
        self.out.in_its_own_way |= litter in IN_THE_WAY

    @rule()
    @precondition(lambda self: self.can_speak)
    def try_a_temporary_table(self) -> None:
        assert self._fails("create temporary table notes (body text)")

    @rule()
    @precondition(lambda self: self.can_speak)
    def commit_in_sql(self) -> None:
        """Leave the context behind, as hostile SQL may where no fence stands."""
        self._do(lambda connection: connection.exec_driver_sql("select 1"))
        self._do(lambda connection: connection.exec_driver_sql("commit"))
        self._keep()
        self.out.pending, self.out.savepoints = [], []
        self.out.left_context = True

    @rule()
    @precondition(lambda self: self.is_out and not self.out.killed)
    def have_the_backend_killed(self) -> None:
        self._kill(self.out.backend_pid)
        self.out.killed = True

    @rule()
    @precondition(lambda self: self.is_out and self.out.killed)
    def speak_to_a_dead_backend(self) -> None:
        try:
            self._do(lambda connection: connection.exec_driver_sql("select 1"))
        except (DBAPIError, PendingRollbackError):
            return
        raise AssertionError("a dead backend answered")

    @rule()
    @precondition(lambda self: self.visit is None and self.last_pid is not None)
    def have_the_idle_backend_killed(self) -> None:
        assert self.last_pid is not None
        self._kill(self.last_pid)

    @rule()
    @precondition(lambda self: self.is_out)
    def give_back(self) -> None:
        """In whatever state it is. What was not committed is gone, and nothing was written for the other tenant."""
        self._leave()
        self.last_pid, self.visit = self.out.backend_pid, None
        rows = self.world.admin.execute(ROWS)
        kept: dict[str, set[str]] = {slug: set() for slug in self.committed}
        for slug, body in rows:
            kept[slug].add(body)
        assert kept == self.committed

    def teardown(self) -> None:
        if self.is_out:
            self._leave()
        self.world.room.empty()

    @property
    def is_out(self) -> bool:
        return self.visit is not None

    @property
    def out(self) -> Visit:
        assert self.visit is not None
        return self.visit

    @property
    def can_speak(self) -> bool:
        return self.is_out and not self.out.aborted and not self.out.killed

    @property
    def has_a_savepoint(self) -> bool:
        return self.is_out and not self.out.killed and bool(self.out.savepoints)

    def _do(self, work: Callable[[Connection], Any]) -> Any:
        return self.world.room.do(work)

    def _fails(self, statement: str) -> bool:
        try:
            self._do(lambda connection: connection.exec_driver_sql(statement))
        except DBAPIError:
            # Without a transaction there is none to be aborted.
            self.out.aborted = not self.out.left_context
            return True
        return False

    def _keep(self) -> None:
        self.committed[self.out.tenant.slug].update(self.out.pending)

    def _leave(self) -> None:
        try:
            self.world.room.give_back()
        except DBAPIError:
            # It was to roll back, and there is nobody to do it. SQLAlchemy has closed it all the same.
            assert self.out.killed

    def _kill(self, pid: int) -> None:
        self.world.admin.execute("select pg_terminate_backend(%s, 5000)", (pid,))


def sessions_in(world: World) -> type[Sessions]:
    """Return the machine, playing in `world`."""
    return type("SessionsInWorld", (Sessions,), {"world": world})
