"""What a tenant had while nobody else wanted it is no debt."""

from db.migrations.execution import execute_file

revision = "0010"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the revision's file."""
    execute_file("migrations/0010_idle_lanes.sql")
