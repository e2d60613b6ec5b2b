"""Fair order among tenants, limits, and priorities."""

from db.migrations.execution import execute_file

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the revision's file."""
    execute_file("migrations/0007_fair_order.sql")
