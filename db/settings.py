"""Where the databases are: one DSN per role, from the environment or from what `partywall up` wrote."""

import os
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from db.errors import SettingMissingError
from db.roles import Role


def home() -> Path:
    """Return the folder of the embedded stack (`PARTYWALL_HOME`, by default `.partywall`), made absolute."""
    return Path(os.environ.get("PARTYWALL_HOME", ".partywall")).absolute()


class PartywallSettings(BaseSettings):
    """Reads `PARTYWALL_*` variables. What is missing is looked up in `<home>/env`; the environment wins."""

    # An empty variable is how a compose file or a shell says "not set": to libpq an empty DSN would be a server.
    model_config = SettingsConfigDict(env_prefix="PARTYWALL_", env_ignore_empty=True, extra="ignore", frozen=True)

    @classmethod
    def load(cls) -> Self:
        """Return the settings as they are now. The home may differ between two calls, so nothing is cached."""
        return cls(_env_file=home() / "env")


class DatabaseSettings(PartywallSettings):
    """One DSN per role: `postgresql://login:password@host:port/database`."""

    admin_database_url: SecretStr | None = Field(
        None, description="A superuser's; for `partywall bootstrap` and the guard."
    )
    migrator_database_url: SecretStr | None = Field(None, description="Used by `partywall migrate`.")
    worker_database_url: SecretStr | None = Field(None, description="Used by Celery workers.")
    api_database_url: SecretStr | None = Field(None, description="Used by the HTTP API.")
    dispatcher_database_url: SecretStr | None = Field(
        None, description="Used by dispatcher and reaper; a direct one, because the dispatcher LISTENs."
    )
    scheduler_database_url: SecretStr | None = Field(None, description="Used by tenantless fan-out tasks.")
    operator_database_url: SecretStr | None = Field(None, description="Used by the command line.")
    app_sql_folder: Path | None = Field(
        None, description="A folder of the adopter's own migrations, run together with those of sql/app/."
    )
    pool_size: int = Field(5, ge=1, description="Connections a process keeps per role.")
    connect_timeout_seconds: int = Field(5, ge=1, description="How long to wait for a connection to open.")

    def url(self, role: Role) -> str:
        """Return the role's DSN.

        Raises:
            SettingMissingError: it is set neither in the environment nor in `<home>/env`.
        """
        dsn: SecretStr | None = getattr(self, f"{role.value}_database_url")
        if dsn is None:
            raise SettingMissingError(
                setting=f"PARTYWALL_{role.value.upper()}_DATABASE_URL",
                hint="Set it, or start the embedded stack with: partywall up.",
            )
        return dsn.get_secret_value()
