"""A database with the guard, and its owner at the keyboard: whoever writes migrations."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from cli.stack.postgres import EmbeddedPostgres
from db import guard
from db.roles import Role
from tests.databases import Database, clone, drop

# Everything that a test made. Without the guard: it would have a word in it.
_CLEAR = """
    set session_replication_role = replica;
    do $clear$
    declare
        relation regclass;
        kind     text;
    begin
        drop schema if exists elsewhere cascade;
        drop foreign data wrapper if exists nowhere cascade;
        for relation, kind in
            select oid, case relkind when 'v' then 'view' when 'm' then 'materialized view'
                        when 'f' then 'foreign table' else 'table' end
            from pg_class
            where relnamespace = 'app'::regnamespace
              and relkind in ('r', 'p', 'v', 'm', 'f')
              and relname not in ('files', 'file_chunks', 'orders', 'rejected_rows', 'statements')
        loop
            if exists (select from pg_class where oid = relation) then
                execute format('drop %s if exists %s cascade', kind, relation);
            end if;
        end loop;
    end
    $clear$;
"""


@pytest.fixture(scope="module")
def kept_database(postgres: EmbeddedPostgres, request: pytest.FixtureRequest) -> Iterator[Database]:
    """One migrated and guarded database for the tests of a module."""
    made = clone(postgres, f"{request.module.__name__.rpartition('.')[2]}_{os.getpid()}")
    guard.install(made.admin_url)
    yield made
    drop(made)


@pytest.fixture
def database(kept_database: Database) -> Iterator[Database]:
    """The module's database; what a test makes in it is gone after it."""
    yield kept_database
    with psycopg.connect(kept_database.admin_url, autocommit=True) as admin:
        admin.execute(_CLEAR)


@pytest.fixture
def owner(database: Database) -> Iterator[psycopg.Connection]:
    """A session of the owner of all tables. Each statement is a transaction of its own."""
    with acting_as_owner(database) as connection:
        yield connection


@contextmanager
def acting_as_owner(database: Database) -> Iterator[psycopg.Connection]:
    """Log in as the migrator and become the owner, as a migration does."""
    with psycopg.connect(database.url(Role.MIGRATOR), autocommit=True) as connection:
        connection.execute("set role partywall_owner")
        yield connection


@pytest.fixture
def superuser(database: Database) -> Iterator[psycopg.Connection]:
    """A session of the superuser. The guard watches him too, and he can switch it off."""
    with psycopg.connect(database.admin_url, autocommit=True) as connection:
        yield connection
