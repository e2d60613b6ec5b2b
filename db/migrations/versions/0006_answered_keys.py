"""Idempotency keys that were answered with another request's job."""

from db.migrations.execution import execute_file

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the revision's file."""
    execute_file("migrations/0006_answered_keys.sql")
