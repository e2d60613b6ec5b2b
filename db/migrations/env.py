"""Alembic's environment. `db/migrate.py` opens the connection, the transaction and the lock."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table="alembic_version",
    version_table_schema="partywall",
)
context.run_migrations()
