"""What a revision does: run one file of `sql/`."""

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from db import sql_files
from db.errors import MigrationFailedError, NoTenantError
from db.sql_files import SqlFile


def execute_file(path: str) -> None:
    """Execute a file of `sql/` on the connection of the running migration."""
    from alembic import op  # a fifth of a second that only a migration should wait for

    execute(op.get_bind(), sql_files.read(path))


def execute(connection: Connection, file: SqlFile) -> None:
    """Execute every statement of a file. No parameters: a `%` in the file is a percent sign.

    Raises:
        MigrationFailedError: PostgreSQL refused a statement; nothing of this migration is kept.
    """
    try:
        connection.execution_options(no_parameters=True).exec_driver_sql(file.text)
    except DBAPIError as error:
        diagnosis = getattr(error.orig, "diag", None)
        if diagnosis is None or diagnosis.message_primary is None:
            raise
        position = diagnosis.statement_position
        # PostgreSQL counts characters from 1 and knows no lines.
        line = file.text.count("\n", 0, int(position) - 1) + 1 if position else None
        # What the database advises who enters no tenant is for tasks.
        advice = _FOR_ALL_TENANTS if diagnosis.sqlstate == NoTenantError.sqlstate else diagnosis.message_hint
        raise MigrationFailedError(
            diagnosis.message_primary,
            file=f"{file.path}:{line}" if line else file.path,
            hint=advice or "Nothing was changed. Mend the file and migrate again.",
        ) from error


_FOR_ALL_TENANTS = (
    "Nothing was changed. A migration is nobody's tenant: to change the rows of all, write "
    "`alter table app.NAME no force row level security;` before and `select partywall.protect('app.NAME');` after, "
    "in the same file, and name tenant_id in what you insert."
)
