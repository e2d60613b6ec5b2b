"""Why a connection to PostgreSQL could not be opened, in plain words."""

import re
from dataclasses import dataclass

import psycopg

ADDRESS = "Correct host and port of {setting}, or start PostgreSQL there."
LOGIN = "Correct the password in {setting}, or set it with: partywall bootstrap"


@dataclass(frozen=True, slots=True)
class Unreachable:
    """`words` has no full stop; `fix` is a sentence in which `{setting}` stands for the setting to look at."""

    words: str
    fix: str

    def fix_in(self, setting: str) -> str:
        """Return the fix, naming the setting."""
        return self.fix.format(setting=setting)


# libpq tells no SQLSTATE of a failed connection attempt, only text. The texts of libpq are English, as its wheels
# carry no translations; a server may speak another language, so what is not recognised is quoted.
_KNOWN: tuple[tuple[str, Unreachable], ...] = (
    (r"connection refused", Unreachable("nothing listens at {address}", ADDRESS)),
    (r"no such file or directory", Unreachable("nothing listens on the socket {address}", ADDRESS)),
    (
        r"failed to resolve host|could not translate host name|name or service not known",
        Unreachable("the host of {address} has no address", "Correct the host in {setting}, or look into DNS."),
    ),
    (
        r"timeout expired|timed out",
        Unreachable(
            "no answer from {address} in time",
            "Correct host and port of {setting}; look for a firewall in between.",
        ),
    ),
    (r"no route to host|network is unreachable", Unreachable("no route to {address}", ADDRESS)),
    (
        r"no password supplied",
        Unreachable("{address} asks for a password and there is none", "Put the password into {setting}."),
    ),
    (
        r"password authentication failed|authentication failed|no such user|password expired",
        Unreachable("{address} refused the password of {login}, or knows no such login", LOGIN),
    ),
    (
        r"database .* does not exist|no such database",
        Unreachable("there is no database {database} at {address}", "Create it, or correct the name in {setting}."),
    ),
    (
        r"permission denied for database",
        Unreachable("{login} may not connect to the database {database}", "Run: partywall bootstrap"),
    ),
    (
        r"not permitted to log in",
        Unreachable("{login} may not log in", "Name the role's own login in {setting}."),
    ),
    (
        r"no pg_hba\.conf entry",
        Unreachable("{address} lets nobody in from here as {login}", "Add a line for it to the server's pg_hba.conf."),
    ),
    (
        r"does not support ssl|ssl error|certificate|no encryption",
        Unreachable("{address} and {setting} disagree about TLS", "Correct sslmode and sslrootcert in {setting}."),
    ),
    (
        r"too many (clients|connections)|remaining connection slots|no more connections",
        Unreachable("{address} has no connection left", "Raise max_connections, or lower PARTYWALL_POOL_SIZE."),
    ),
    (
        r"(is starting up|shutting down|not yet accepting connections|recovery mode)",
        Unreachable("PostgreSQL at {address} is starting or stopping", "Try again in a moment."),
    ),
    (
        r"invalid response to ssl negotiation|expected authentication request",
        Unreachable("what answers at {address} is not PostgreSQL", "Correct host and port of {setting}."),
    ),
    (
        r"terminating connection|server closed the connection|connection is lost|connection reset",
        Unreachable("PostgreSQL closed the connection", "Try again; the server's log says why."),
    ),
)


def why_unreachable(error: psycopg.Error, *, address: str = "the server") -> Unreachable:
    """Return what a failed connection attempt, or a lost connection, means.

    `address` is what was asked for; where the error knows better, its own is told.
    """
    said = str(error).strip()
    facts = _facts(error, said, address)
    for pattern, known in _KNOWN:
        if re.search(pattern, said, re.IGNORECASE):
            return Unreachable(known.words.format(**facts), known.fix)
    quoted = re.sub(r"\s+", " ", said.rpartition("failed: ")[2] or said)
    return Unreachable(f"PostgreSQL at {facts['address']} said: {quoted.rstrip('.')}", "See the server's log.")


def _facts(error: psycopg.Error, said: str, address: str) -> dict[str, str]:
    facts = {"address": address, "login": "the login", "database": "of that name", "setting": "the DSN"}
    tried = error.pgconn
    if tried is None:
        return facts
    host, port = tried.host.decode(), tried.port.decode()
    named = re.search(r'database "([^"]+)"', said)
    return facts | {
        "address": f"{host}:{port}" if not host.startswith("/") else f"{host}/.s.PGSQL.{port}",
        "login": tried.user.decode(),
        "database": named[1] if named else tried.db.decode(),
    }
