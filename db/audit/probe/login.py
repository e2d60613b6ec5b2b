"""In whose name the attacks are played."""

from dataclasses import dataclass

from sqlalchemy import Connection, text

from db.errors import PartywallError
from db.roles import Role


class ProbeLoginError(PartywallError):
    """The probe cannot act as that login."""


@dataclass(frozen=True, slots=True)
class Player:
    """The login under test."""

    name: str
    quoted: str
    """As SQL spells it."""
    is_superusers: bool
    """True where a superuser is connected and only acts as it."""


def find_player(connection: Connection, login: str | None) -> Player:
    """Return who is to be tested: whoever is connected, or `login` (the worker) where that is a superuser.

    Raises:
        ProbeLoginError: `login` is somebody else, and no superuser is connected, or there is no such role.
    """
    connected, is_superuser = connection.execute(
        text("select rolname::text, rolsuper from pg_catalog.pg_roles where rolname = session_user")
    ).one()
    name = login or (Role.WORKER.login if is_superuser else connected)
    if name != connected and not is_superuser:
        raise ProbeLoginError(
            "only a superuser can act as another login",
            connected=connected,
            asked=name,
            hint="Give the DSN of the login that is to be tested, or a superuser's.",
        )
    found = connection.execute(_ROLE, {"name": name}).one_or_none()
    connection.rollback()
    if found is None:
        raise ProbeLoginError("there is no such login", asked=name, hint="Name one that exists with --role.")
    if not found.may_enter:
        raise ProbeLoginError(
            "the login may not enter a tenant",
            asked=name,
            hint="What it sees of all tenants is meant to be. Probe as the worker, the API or the operator.",
        )
    return Player(name, found.quoted, is_superuser)


_ROLE = text("""
    select
        quote_ident(rolname) as quoted,
        has_function_privilege(oid, 'partywall.enter(text)', 'execute') as may_enter
    from pg_catalog.pg_roles
    where rolname = :name
""")
