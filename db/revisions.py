"""The revisions this code knows, from `db/migrations/versions/`.

Read from the names of the files: every process asks when it starts, and Alembic takes a fifth of a second to import.
"""

from pathlib import Path

_VERSIONS = Path(__file__).parent / "migrations" / "versions"


def head_revision() -> str:
    """Return the revision a current database has."""
    return max(_revisions())


def is_known(revision: str) -> bool:
    """Return False for a revision of newer code."""
    return revision in _revisions()


def _revisions() -> set[str]:
    return {file.stem.partition("_")[0] for file in _VERSIONS.glob("[0-9]*.py")}
