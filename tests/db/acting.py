"""Standing outside: raw connections as a role, without our engines, as an attacker or a migration has them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg

from db.roles import Role
from tests.databases import Database


@contextmanager
def raw_connection(database: Database, role: Role) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """Open a bare psycopg connection as the role, each statement a transaction of its own unless it says BEGIN."""
    with psycopg.connect(database.url(role), autocommit=True) as connection:
        yield connection


def as_owner(database: Database, script: LiteralString) -> None:
    """Run statements as `partywall_owner` in one transaction, as a migration does."""
    with psycopg.connect(database.url(Role.MIGRATOR)) as connection:
        connection.execute("set role partywall_owner")
        connection.execute(script)
