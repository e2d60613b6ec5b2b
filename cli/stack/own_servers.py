"""Servers of your own: what the environment points at instead of the embedded PostgreSQL or broker."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from cli.stack.errors import ServersIncompleteError
from db.dsn import setting_name
from db.roles import Role

BROKER_VARIABLE = "PARTYWALL_BROKER_URL"
RESULT_BACKEND_VARIABLE = "PARTYWALL_RESULT_BACKEND_URL"
ADMIN_VARIABLE = "PARTYWALL_ADMIN_DATABASE_URL"


@dataclass(frozen=True)
class OwnServers:
    """DSNs given from outside. None, or no databases: the stack brings its own."""

    broker: str | None
    databases: dict[Role, str]

    @classmethod
    def given(cls, environment: Mapping[str, str], written: Mapping[str, str]) -> "OwnServers":
        """Return what `environment` sets. A value that `up` had `written` was only read back by a shell.

        Raises:
            ServersIncompleteError: a database for some roles and not for others would split the data.
        """
        own = {name: value for name, value in environment.items() if value and value != written.get(name)}
        databases = {role: own[setting_name(role)] for role in Role if setting_name(role) in own}
        missing = [setting_name(role) for role in Role if role not in databases]
        if databases and missing:
            present = ", ".join(setting_name(role) for role in databases)
            raise ServersIncompleteError(
                set=present,
                missing=", ".join(missing),
                hint="Set the missing ones too, or unset the others to use the embedded PostgreSQL.",
            )
        return cls(own.get(BROKER_VARIABLE), databases)


def without_credentials(url: str) -> str:
    """Return the address in `url` fit to be shown: no login, no password, no parameters."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
