"""Alembic's side of the schema: an environment and one small revision per file of `sql/migrations/`."""
