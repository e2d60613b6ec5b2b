"""The SQL of the pages about the guard and the backup does what they say."""

import os
from collections.abc import Iterator

import psycopg
import pytest

from cli.stack.postgres import EmbeddedPostgres
from db import guard
from db.bare_connection import bare_connection
from db.guard import GuardState
from db.roles import Role
from tests.databases import Database, clone, drop
from tests.docs.pages import ROOT, blocks
from tests.guard.walls import stands

GUARD = ROOT / "docs/how-to/guard-your-schema.md"
BACKUP = ROOT / "docs/how-to/back-up-and-restore.md"
BY_A_SUPERUSER = "-- as a superuser\n"


@pytest.fixture
def database(postgres: EmbeddedPostgres) -> Iterator[Database]:
    """A guarded database."""
    made = clone(postgres, f"pages_{os.getpid()}")
    guard.install(made.admin_url)
    yield made
    drop(made)


def run(database: Database, code: str) -> None:
    """Run a block as it stands there, as whom it is for: the migrator, unless it says otherwise."""
    url = database.admin_url if code.startswith(BY_A_SUPERUSER) else database.url(Role.MIGRATOR)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(code.encode())


def test_the_page_about_the_guard(database: Database) -> None:
    rewrite, share, watch, switch_off = [block.code for block in blocks(GUARD, "sql")]

    run(database, rewrite)
    assert stands(database, "app.orders")
    run(database, share)
    with psycopg.connect(database.admin_url, autocommit=True) as admin, pytest.raises(psycopg.Error) as refusal:
        admin.execute("comment on table app.countries is null")
    assert refusal.value.sqlstate == "PW013"
    run(database, watch)
    with psycopg.connect(database.url(Role.MIGRATOR), autocommit=True) as owner, pytest.raises(psycopg.Error):
        owner.execute("set role partywall_owner")
        owner.execute("create schema billing create table bills (id int)")
    run(database, switch_off)
    assert state(database) is GuardState.DISABLED
    guard.install(database.admin_url)
    assert state(database) is GuardState.CURRENT


def state(database: Database) -> GuardState:
    with bare_connection(database.admin_url) as connection:
        return guard.state(connection)


def test_the_page_about_the_backup(database: Database) -> None:
    (grants,) = [block.code for block in blocks(BACKUP, "sql")]
    run(database, grants.replace("database partywall", f"database {database.name}"))
    try:
        assert database.ask("select pg_has_role('night_watch', 'partywall_backup', 'member')") == [(True,)]
    finally:
        database.do("drop owned by night_watch")
        database.do("drop role night_watch")
