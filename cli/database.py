"""The operator's connection: the one every command works through that is not about setting the database up."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from db.dsn import Dsn, setting_name
from db.roles import Role
from db.schema import require_current
from db.session import platform_connection, wait_for_disk
from db.settings import DatabaseSettings


@contextmanager
def operator_connection() -> Iterator[Connection]:
    """Open a connection of the role `operator`. Each statement is its own transaction. Print what was read after it.

    Raises:
        SettingMissingError, DsnInvalidError: PARTYWALL_OPERATOR_DATABASE_URL is not set, or no DSN.
        SchemaOlderError, SchemaNewerError: the database is not of this code's age.
    """
    # Looked at before libpq does: its complaint would quote the DSN, password and all.
    Dsn.parse(DatabaseSettings.load().url(Role.OPERATOR), setting=setting_name(Role.OPERATOR))
    with platform_connection(Role.OPERATOR) as connection:
        require_current(connection)
        yield connection
        # Whoever reads what the command prints acts on it.
        wait_for_disk(connection)
