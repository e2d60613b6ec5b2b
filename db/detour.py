"""A DSN that leads to the same database by way of a proxy on this machine."""

from urllib.parse import quote, urlencode

from psycopg.conninfo import conninfo_to_dict

from db.errors import PartywallError

_ENCRYPTED = ("require", "verify-ca", "verify-full")


class DetourImpossibleError(PartywallError):
    """A proxy cannot read along on this connection."""


def server_of(url: str) -> tuple[str, int] | str:
    """Return where a DSN's server is: host and port, or the path of its socket.

    Raises:
        DetourImpossibleError: it names several servers, or insists on TLS.
    """
    parts = _parts(url)
    host, port = parts.get("hostaddr") or parts.get("host") or "/var/run/postgresql", parts.get("port") or "5432"
    if "," in host + port:
        raise DetourImpossibleError("The DSN names several servers", hint="Name the one that is to be used.")
    if parts.get("sslmode") in _ENCRYPTED:
        raise DetourImpossibleError(
            "The DSN insists on TLS",
            sslmode=parts["sslmode"],
            hint="Leave sslmode out where the network is trusted, or use a database of this machine.",
        )
    return f"{host}/.s.PGSQL.{port}" if host.startswith("/") else (host, int(port))


def by_way_of(url: str, *, port: int) -> str:
    """Return the DSN with a proxy at this port of the loopback interface in the server's place, unencrypted."""
    parts = _parts(url)
    login = quote(parts.pop("user", ""), safe="")
    password = parts.pop("password", None)
    database = quote(parts.pop("dbname", ""), safe="")
    for name in ("host", "hostaddr", "port"):
        parts.pop(name, None)
    rest = urlencode(parts | {"sslmode": "disable", "gssencmode": "disable"}, quote_via=quote)
    credentials = login if password is None else f"{login}:{quote(password, safe='')}"
    return f"postgresql://{credentials}@127.0.0.1:{port}/{database}?{rest}"


def _parts(url: str) -> dict[str, str]:
    return {name: str(value) for name, value in conninfo_to_dict(url).items() if value is not None}
