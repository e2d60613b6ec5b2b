"""Which of the platform's own files would have to run again: the database no longer holds what they define."""

from sqlalchemy import Connection

from db.audit.asking import ask

ALTERED = "platform-function-altered"
"""The check that tells of the same, and of second forms, which no file puts away."""


def altered_files(connection: Connection) -> set[str]:
    """Return the files with a function that is missing or not as they define it: `functions/context.sql`."""
    return {row.path for row in ask(connection, "select path from altered_functions", schemas=(), logins=())}
