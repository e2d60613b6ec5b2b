"""Which dispatcher leads."""

from db.migrations.execution import execute_file

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the revision's file."""
    execute_file("migrations/0004_leader.sql")
