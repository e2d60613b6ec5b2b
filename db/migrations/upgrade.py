"""Running the revisions that a database has not seen."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection


def alembic_config() -> Config:
    """Return Alembic's configuration; it has no file of its own."""
    config = Config()
    # Alembic reads its options as ConfigParser does, where a % starts a placeholder.
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config


def upgrade(connection: Connection) -> None:
    """Run every revision that is new here, in the transaction of the connection."""
    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
