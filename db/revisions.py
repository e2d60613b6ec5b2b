"""The revisions this code knows, from `db/migrations/versions/`."""

from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory


def alembic_config() -> Config:
    """Return Alembic's configuration; it has no file of its own."""
    config = Config()
    # Alembic reads its options as ConfigParser does, where a % starts a placeholder.
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config


def head_revision() -> str:
    """Return the revision a current database has."""
    head = _scripts().get_current_head()
    if head is None:
        raise LookupError("db/migrations/versions/ is empty")
    return head


def is_known(revision: str) -> bool:
    """Return False for a revision of newer code."""
    return revision in {script.revision for script in _scripts().walk_revisions()}


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(alembic_config())
