"""Is this database of the same age as this code? Every process asks before it starts."""

from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

from db import sql_files
from db.errors import AppliedFileChangedError, SchemaNewerError, SchemaOlderError
from db.revisions import head_revision, is_known

_ABSENT = ("3F000", "42883")
"""invalid_schema_name, undefined_function."""
_OLDER = "Run: partywall migrate."
_NEWER = "Deploy the code that migrated it, or restore the database of this code."


def require_current(connection: Connection) -> None:
    """Return when schema and functions are those of this code.

    Raises:
        SchemaOlderError: the database was never migrated, or by older code.
        SchemaNewerError: by newer code.
        AppliedFileChangedError: a file of the adopter is not the one that was run here.
    """
    try:
        rows = connection.execute(text("select revision, path, sha256 from partywall.installed_schema()")).all()
        connection.commit()
    except ProgrammingError as error:
        connection.rollback()
        if getattr(error.orig, "sqlstate", None) not in _ABSENT:
            raise  # a login without rights here says nothing about the schema
        raise SchemaOlderError("the database was never migrated", hint=_OLDER) from None

    installed = {row.path: row.sha256 for row in rows}
    revision: str | None = rows[0].revision if rows else None
    _compare_revision(revision)
    _compare_files(installed)


def _compare_revision(revision: str | None) -> None:
    head = head_revision()
    if revision is not None and not is_known(revision):
        raise SchemaNewerError(revision=revision, code=head, hint=_NEWER)
    if revision != head:
        raise SchemaOlderError(revision=revision, code=head, hint=_OLDER)


def _compare_files(installed: dict[str, str]) -> None:
    expected = {file.path: file.sha256 for file in [*sql_files.functions(), *sql_files.app_migrations()]}
    for path in installed.keys() - expected.keys():
        # A function that this code no longer has does no harm; a table of newer code may.
        if path.startswith("app/"):
            raise SchemaNewerError(file=path, hint=_NEWER)
    for path, sha256 in expected.items():
        if path.startswith("app/") and installed.get(path, sha256) != sha256:
            raise AppliedFileChangedError(file=path, hint="Put it back as it was and add a new file instead.")
        if installed.get(path) != sha256:
            raise SchemaOlderError(file=path, hint=_OLDER)
