"""How long a connection believes in a server that says nothing."""

from typing import Final

from psycopg.conninfo import conninfo_to_dict, make_conninfo

KEEPALIVE: Final = {
    # A peer that is gone without a word is noticed after 10 + 3 * 5 seconds, and what was sent to it after 25: within a
    # lease. The kernel's own patience is two hours for the one and a quarter of an hour for the other.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
"""libpq's parameters. A DSN may say otherwise."""


def with_keepalive(url: str) -> str:
    """Return the DSN as libpq takes it, with those of the parameters that it does not name itself."""
    named = conninfo_to_dict(url)
    return make_conninfo(url, **{name: value for name, value in KEEPALIVE.items() if name not in named})
