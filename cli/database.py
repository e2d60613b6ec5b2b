"""The operator's connection: the one every command works through that is not about setting the database up."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from db.roles import Role
from db.schema import require_current
from db.session import platform_connection


@contextmanager
def operator_connection() -> Iterator[Connection]:
    """Open a connection of the role `operator`. Each statement is a transaction of its own.

    Raises:
        SettingMissingError: PARTYWALL_OPERATOR_DATABASE_URL is not set.
        SchemaOlderError, SchemaNewerError: the database is not of this code's age.
    """
    with platform_connection(Role.OPERATOR) as connection:
        require_current(connection)
        yield connection
