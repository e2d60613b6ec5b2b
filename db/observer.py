"""Looking at all tenants from outside the wall: for a proof, in a database that may hold throwaway tenants.

A superuser sees everything. The migrator, acting as the owner of the tables, is bound by the policies too, and so
looks at each tenant in that tenant's context. Both are asked the same questions.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from db.bare_connection import bare_connection
from db.context import TenantContext
from db.seeding import MARK_DIGITS, MarkOf, Unseeded, seed
from db.snapshots import Snapshot, marks_in, snapshot
from db.tables import Table, list_tables

_PRUNABLE = text("""
    insert into partywall.jobs (
        tenant_id, id, task_name, queue, state, attempt, max_attempts, run_at, created_at, started_at, finished_at,
        payload, result
    )
    select
        :tenant_id, cast(:id as uuid), 'partywall.seeded', 'default', 'succeeded', 1, 1, past, past, past, past,
        jsonb_build_object('mark', cast(:payload as text)), jsonb_build_object('mark', cast(:result as text))
    from (select now() - make_interval(days => 3660)) as moment (past)
""")
_UNFINISHED = text("""
    select count(*)
    from partywall.jobs
    where tenant_id = any(cast(:tenant_ids as uuid[]))
      and state in ('scheduled', 'queued', 'dispatched', 'running')
      and run_at <= now()
""")
_JOB = text("select to_jsonb(jobs) from partywall.jobs as jobs where tenant_id = :tenant_id and id = :job_id")


class Observer:
    """Who looks. Every method is a transaction of its own."""

    def __init__(self, connection: Connection, *, mark_pattern: str) -> None:
        self._connection = connection
        self._mark_pattern = mark_pattern
        asked = connection.execute(text("select rolsuper from pg_roles where rolname = current_user"))
        self._is_superuser = bool(asked.scalar_one())
        connection.commit()

    @cached_property
    def tables(self) -> list[Table]:
        """Every table this login may read."""
        with self._transaction():
            return [table for table in list_tables(self._connection) if table.may_read]

    @cached_property
    def _of_tenants(self) -> list[Table]:
        # What the dispatcher keeps of the order among tenants changes by itself, and no task can reach it.
        return [table for table in self.tables if table.has_tenant and not table.name.startswith("partywall_private.")]

    def seed(self, context: TenantContext, *, mark: MarkOf) -> list[Unseeded]:
        """Give the tenant a row in every table of tenants, and a finished job that is old enough to be pruned."""
        tables = self.tables
        with self._transaction(context):
            # Jobs first: a table may name one.
            marks = {name: mark("partywall.jobs", MARK_DIGITS) for name in ("id", "payload", "result")}
            self._connection.execute(_PRUNABLE, {"tenant_id": context.tenant_id, **marks})
            return seed(self._connection, tables, context=context, mark=mark)

    def snapshot(self, context: TenantContext) -> Snapshot:
        """Return all rows of the tenant."""
        tables = self._of_tenants
        with self._transaction(context):
            return snapshot(self._connection, tables, tenant_id=context.tenant_id, mark_pattern=self._mark_pattern)

    def shared_marks(self) -> list[tuple[str, str]]:
        """Return (table, mark) for marks in tables whose rows are nobody's, and which a worker may write."""
        shared = [each for each in self.tables if not each.has_tenant and not each.is_platform and each.worker_writes]
        with self._transaction():
            return marks_in(self._connection, shared, mark_pattern=self._mark_pattern)

    def job(self, context: TenantContext, job_id: UUID) -> Mapping[str, Any]:
        """Return all that is kept of a job."""
        with self._transaction(context):
            found = self._connection.execute(_JOB, {"tenant_id": context.tenant_id, "job_id": job_id})
            row: Mapping[str, Any] = found.scalar_one()
            return row

    def unfinished(self, tenant_ids: Sequence[UUID]) -> int:
        """Return how many jobs of the tenants are due and not over."""
        with self._transaction():
            asked = self._connection.execute(_UNFINISHED, {"tenant_ids": [str(each) for each in tenant_ids]})
            return int(asked.scalar_one())

    def erase(self, context: TenantContext) -> list[str]:
        """Delete every row of the tenant, and the tenant; return the tables that would not let go of theirs."""
        left = [table.name for table in self._of_tenants]
        before = len(left) + 1
        with self._transaction(context):
            # Around and around: a row that is referred to goes once those that refer to it are gone.
            while 0 < len(left) < before:
                before = len(left)
                left = [name for name in left if not self._delete(name, "tenant_id", context)]
            if not left:
                self._delete("partywall.tenants", "id", context)
        return left

    def _delete(self, table: str, column: str, context: TenantContext) -> bool:
        delete = f"delete from {table.replace('%', '%%')} where {column} = %s"  # noqa: S608 - names of the catalog
        try:
            with self._connection.begin_nested():
                self._connection.exec_driver_sql(delete, (context.tenant_id,))
        except DBAPIError:
            return False
        return True

    @contextmanager
    def _transaction(self, context: TenantContext | None = None) -> Iterator[None]:
        with self._connection.begin():
            if not self._is_superuser:
                self._connection.execute(text("set local role partywall_owner"))
            if context is not None:
                self._connection.execute(text("select partywall.enter(:token)"), {"token": context.token})
            yield


@contextmanager
def observing(url: str, *, mark_pattern: str) -> Iterator[Observer]:
    """Look through a superuser's DSN or the migrator's while the block runs."""
    with bare_connection(url) as connection:
        yield Observer(connection, mark_pattern=mark_pattern)
