"""A row for each attempt, keys, cancellation, expiry, and who runs what."""

from db.migrations.execution import execute_file

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the revision's file."""
    execute_file("migrations/0003_lifecycle.sql")
