"""The database roles a process may log in as. No login belongs to two of them."""

from enum import StrEnum


class Role(StrEnum):
    """One login and what it is for. `sql/roles.sql` creates them; `sql/` grants each what it needs."""

    MIGRATOR = "migrator"
    """Changes the schema, as `partywall_owner`. Used while deploying, never by a running service."""
    WORKER = "worker"
    """Runs task bodies, inside one tenant at a time."""
    API = "api"
    """Trades credentials for contexts, enqueues and reads, inside one tenant at a time."""
    DISPATCHER = "dispatcher"
    """Sees every tenant's jobs, but only what order and lateness need."""
    SCHEDULER = "scheduler"
    """May start one declared task for every active tenant; sees no table at all."""
    OPERATOR = "operator"
    """Creates and suspends tenants, and may look into one of them at a time."""

    @property
    def login(self) -> str:
        """The role's name in PostgreSQL."""
        return f"partywall_{self.value}"
