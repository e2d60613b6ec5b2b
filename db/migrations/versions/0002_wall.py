"""Jobs that run while their tenant is being deleted."""

from db.migrations.execution import execute_file

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the revision's file."""
    execute_file("migrations/0002_wall.sql")
