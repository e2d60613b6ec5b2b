"""Tenants, credentials, signing keys and jobs."""

from db.migrations.execution import execute_file

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the revision's file."""
    execute_file("migrations/0001_foundation.sql")
