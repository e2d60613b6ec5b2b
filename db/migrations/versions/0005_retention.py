"""Indexes and vacuum settings for many finished jobs."""

from db.migrations.execution import execute_file

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the revision's file."""
    execute_file("migrations/0005_retention.sql")
