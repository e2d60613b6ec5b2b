"""Fixtures of the database layer's tests: a database kept for a module and emptied after each test."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import event

from cli.stack.postgres import EmbeddedPostgres
from db import sql_files
from db.engine import dispose_engines, engine_for
from db.roles import Role
from db.session import platform_connection
from db.workers import register
from tests.databases import TEMPLATE, Database, clone, drop, in_use_by, let_everybody_lock
from tests.db.notes import create_notes
from tests.db.work import TESTS, dispatch_all

# Emptying takes a tenth of the time of a new database. A test that changes more than rows takes `own_database`.
_EMPTY = """
    do $empty$
    declare
        kept regclass;
    begin
        set local lock_timeout = '5s';
        set local session_replication_role = replica;
        for kept in
            select oid
            from pg_class
            where relkind = 'r'
              and relnamespace in ('app'::regnamespace, 'partywall'::regnamespace, 'partywall_private'::regnamespace)
              and relname not in ('alembic_version', 'installed_files', 'signing_keys', 'tiers', 'arrival_key')
        loop
            execute format('delete from %s', kept);
        end loop;
        delete from partywall.tiers where name <> 'standard';
    end
    $empty$
"""


@pytest.fixture(scope="module")
def kept_database(postgres: EmbeddedPostgres, request: pytest.FixtureRequest) -> Iterator[Database]:
    """One migrated database, with `app.notes` and `app.comments`, for the tests of a module."""
    name = request.module.__name__.rpartition(".")[2]
    made = clone(postgres, f"{name}_{os.getpid()}")
    create_notes(made)
    dispose_engines()
    yield made
    dispose_engines()
    drop(made)


@pytest.fixture
def database(kept_database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """The module's database, empty; every role's setting points at it. Engines stay from test to test."""
    for name, value in kept_database.environment.items():
        monkeypatch.setenv(name, value)
    yield kept_database
    kept_database.do(_EMPTY)


@pytest.fixture
def own_database(postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A migrated database of the test's own, to change more than rows in."""
    made = clone(postgres, f"own_{os.getpid()}")
    with in_use_by(monkeypatch, made):
        yield made
    drop(made)


@pytest.fixture(scope="module")
def catalog(postgres: EmbeddedPostgres) -> Database:
    """The template: to be read only."""
    return Database(server=postgres, name=TEMPLATE)


@pytest.fixture
def pool_of_one(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One connection per role: whoever comes next gets what the last one left."""
    monkeypatch.setenv("PARTYWALL_POOL_SIZE", "1")
    dispose_engines()
    yield
    dispose_engines()


@pytest.fixture
def locks_for_everybody(kept_database: Database) -> None:
    """Advisory locks as PostgreSQL grants them, for the rest of the module."""
    let_everybody_lock(kept_database)


@pytest.fixture
def sent() -> Iterator[list[tuple[str, Any]]]:
    """What reached the worker's cursors: statement and what was bound."""
    statements: list[tuple[str, Any]] = []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        statements.append((statement, parameters))

    engine = engine_for(Role.WORKER)
    event.listen(engine, "before_cursor_execute", note)
    yield statements
    event.remove(engine, "before_cursor_execute", note)


@pytest.fixture
def sql_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of `sql/` that a test may change, used in place of the real one."""
    copied = tmp_path / "sql"
    shutil.copytree(sql_files.ROOT, copied)
    monkeypatch.setattr(sql_files, "ROOT", copied)
    return copied


@pytest.fixture
def heard(database: Database) -> Iterator[Callable[[], list[str]]]:
    """A function that returns what the dispatcher was notified of."""
    with psycopg.connect(database.url(Role.DISPATCHER), autocommit=True) as listening:
        listening.execute("listen partywall_jobs")
        yield lambda: [each.payload for each in listening.notifies(timeout=0.2)]


@pytest.fixture
def running_system(database: Database) -> None:
    """A worker with two slots that was heard of, and a dispatcher that has looked."""
    with platform_connection(Role.WORKER) as connection:
        register(connection, TESTS, pool="threads", queues=["default"], slots=2)
    dispatch_all()
