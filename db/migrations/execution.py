"""What a revision does: run one file of `sql/`."""

from alembic import op
from sqlalchemy import Connection

from db import sql_files
from db.sql_files import SqlFile


def execute_file(path: str) -> None:
    """Execute a file of `sql/` on the connection of the running migration."""
    execute(op.get_bind(), sql_files.read(path))


def execute(connection: Connection, file: SqlFile) -> None:
    """Execute every statement of a file. No parameters: a `%` in the file is a percent sign."""
    connection.execution_options(no_parameters=True).exec_driver_sql(file.text)
