"""Reading a DSN: who logs in where."""

from dataclasses import dataclass, field

import psycopg
from psycopg.conninfo import conninfo_to_dict

from db.errors import PartywallError
from db.roles import Role

_SCHEMES = ("postgresql://", "postgres://")


def setting_name(role: Role) -> str:
    """Return the name of the setting that holds the role's DSN."""
    return f"PARTYWALL_{role.value.upper()}_DATABASE_URL"


class DsnInvalidError(PartywallError):
    """The setting is not the DSN of a PostgreSQL database."""


@dataclass(frozen=True, slots=True)
class Dsn:
    """What a DSN says. Empty where it leaves something to libpq's defaults."""

    login: str
    password: str = field(repr=False)
    address: str
    """`host:port`, fit to be shown."""
    database: str

    @classmethod
    def parse(cls, url: str, *, setting: str) -> "Dsn":
        """Return what a `postgresql://` address says.

        Raises:
            DsnInvalidError: it is not one. The text is not repeated: a password may stand in it.
        """
        try:
            parts = conninfo_to_dict(url) if url.startswith(_SCHEMES) else {}
        except psycopg.ProgrammingError:
            parts = {}
        if not parts:
            raise DsnInvalidError(
                setting=setting,
                hint="Write it as postgresql://login:password@host:port/database, and @ : / ? # % in a login or "
                "password as %40 %3A %2F %3F %23 %25.",
            )
        said = {name: str(value) for name, value in parts.items() if value is not None}
        host = said.get("host") or said.get("hostaddr", "")
        return cls(
            login=said.get("user", ""),
            password=said.get("password", ""),
            address=f"{host or 'the default host'}:{said.get('port', '5432')}",
            database=said.get("dbname", ""),
        )


def plain_url(url: str) -> str:
    """Return the DSN as SQLAlchemy spells it, for connections that carry no context: migrations and checks."""
    return url.replace("postgresql://", "postgresql+psycopg://", 1).replace("postgres://", "postgresql+psycopg://", 1)
