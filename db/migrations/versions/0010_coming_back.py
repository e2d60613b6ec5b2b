"""Tenants that come back: what they had of idle workers is no debt, and their first message overtakes."""

from db.migrations.execution import execute_file

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the revision's file."""
    execute_file("migrations/0010_coming_back.sql")
