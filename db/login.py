"""Who a connection logged in as, and what that login could do beyond its role."""

from dataclasses import dataclass

from sqlalchemy import Connection, text

from db import sql_files


@dataclass(frozen=True, slots=True)
class Login:
    """What the server says about the login of a connection."""

    login: str
    version: int
    """As `server_version_num`: 180001 is 18.1."""
    is_superuser: bool
    bypasses_rls: bool
    creates_roles: bool
    replicates: bool
    memberships: list[str]
    """Other roles it can become that are Partywall's, superusers or exempt from row-level security."""
    owned: list[str]
    """What belongs to it in this database: `table app.orders`, `schema app`, `database shop`."""
    is_migrated: bool
    may_ask_schema: bool
    has_backup_role: bool


def ask_login(connection: Connection) -> Login:
    """Return who the connection is. Works for any login, in any database, migrated or not."""
    connection.execute(text("select set_config('statement_timeout', '5s', true)"))
    asked = connection.execution_options(no_parameters=True).exec_driver_sql(sql_files.read("queries/login.sql").text)
    login = Login(**asked.one()._asdict())
    connection.commit()
    return login
