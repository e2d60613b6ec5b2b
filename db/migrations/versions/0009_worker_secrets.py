"""A process that runs bodies proves that it is the one that was listed."""

from db.migrations.execution import execute_file

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the revision's file."""
    execute_file("migrations/0009_worker_secrets.sql")
