"""Lanes know whether tenants come and go."""

from db.migrations.execution import execute_file

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the revision's file."""
    execute_file("migrations/0008_come_and_go.sql")
