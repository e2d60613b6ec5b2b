"""What is wrong with a role's DSN, in plain words: `partywall check` asks, nothing is changed."""

from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import cast

import psycopg
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from db.bare_connection import bare_connection
from db.dsn import Dsn, DsnInvalidError, setting_name
from db.errors import SchemaNewerError, SchemaOlderError, SettingMissingError
from db.kept_sessions import find_keeping
from db.login import Login, ask_login
from db.pooler import describe_pooler, is_pooled
from db.reachability import why_unreachable
from db.roles import Role
from db.schema import require_current
from db.settings import DatabaseSettings
from db.sql_files import AppSqlFolderMissingError

OLDEST_POSTGRES = 15
NEWEST_POSTGRES = 18

KEPT_SESSIONS_WORDS = (
    "a pooler stands in between and hands one client's session to the next as it is: "
    "what one tenant's job leaves there, another's finds"
)
KEPT_SESSIONS_FIX = (
    "Set server_reset_query = DISCARD ALL and server_reset_query_always = 1, as in deploy/pgbouncer.ini."
)
UNSEEN_RESET_WORDS = (
    "a pooler stands in between, and whether it resets sessions could not be seen: "
    "in two seconds it lent no session twice"
)
UNSEEN_RESET_FIX = f"{KEPT_SESSIONS_FIX} If that is set, try again: the pool is very large, or busy."

_BOOTSTRAP = "Run: partywall bootstrap"
_MIGRATE = "Run: partywall migrate"


class Verdict(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    """Works, and somebody should know."""
    FAIL = "fail"
    """Does not work, or is not safe."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found. `fix` is None where there is nothing to do."""

    verdict: Verdict
    words: str
    fix: str | None = None


def diagnose(role: Role, settings: DatabaseSettings) -> list[Finding]:
    """Return everything found about the role's DSN; one `ok` when nothing is wrong. Takes a few seconds at most."""
    setting = setting_name(role)
    try:
        url = settings.url(role)
        dsn = Dsn.parse(url, setting=setting)
    except SettingMissingError as error:
        return [Finding(Verdict.FAIL, f"{setting} is not set", error.hint)]
    except DsnInvalidError as error:
        return [Finding(Verdict.FAIL, f"{setting} is not the DSN of a PostgreSQL database", error.hint)]
    try:
        with bare_connection(url, timeout_seconds=settings.connect_timeout_seconds) as connection:
            return _examine(connection, role, dsn, setting, settings)
    except DBAPIError as error:
        reason = why_unreachable(cast("psycopg.Error", error.orig), address=dsn.address)
        return [Finding(Verdict.FAIL, reason.words, reason.fix_in(setting))]


def _examine(connection: Connection, role: Role, dsn: Dsn, setting: str, settings: DatabaseSettings) -> list[Finding]:
    login = ask_login(connection)
    found = [
        *judge_version(login.version),
        *judge_login(login, role, setting),
        *_judge_schema(connection, login, role),
    ]
    if role is Role.DISPATCHER:
        found += _judge_pooler(connection, settings, setting)
    elif role is not Role.MIGRATOR:
        found += _judge_reset(connection, settings, role)
    if role is Role.MIGRATOR and not login.has_backup_role:
        fix = "Let a superuser run: partywall bootstrap"
        found.append(Finding(Verdict.WARN, "there is no role partywall_backup: no dump would be complete", fix))
    if any(finding.verdict is Verdict.FAIL for finding in found):
        return found
    version = f"PostgreSQL {login.version // 10000}.{login.version % 10000}"
    return [
        Finding(Verdict.OK, f"{dsn.address}/{dsn.database}, {version}, schema current"),
        *found,
    ]


def judge_version(number: int) -> list[Finding]:
    """Return what to say about a `server_version_num`; nothing when the version is supported."""
    major = number // 10000
    if major < OLDEST_POSTGRES:
        words = f"PostgreSQL {major} is too old"
        return [Finding(Verdict.FAIL, words, f"Upgrade to {OLDEST_POSTGRES} or newer, at best {NEWEST_POSTGRES}.")]
    if major > NEWEST_POSTGRES:
        words = f"PostgreSQL {major} is newer than this code was tested with ({NEWEST_POSTGRES})"
        return [Finding(Verdict.WARN, words, "Look for a newer Partywall.")]
    return []


def judge_login(login: Login, role: Role, setting: str) -> list[Finding]:
    """Return what is wrong with who logs in; nothing when it is the role's own login with its own rights."""
    found: list[Finding] = []
    take_away = f"Take that right from {login.login}, or put the login {role.login} into {setting}."

    def fail(words: str, fix: str) -> None:
        found.append(Finding(Verdict.FAIL, words, fix))

    if login.login != role.login:
        fail(f"logs in as {login.login}, expected {role.login}", f"Put the login {role.login} into {setting}.")
    if login.is_superuser:
        fail(f"{login.login} is a superuser: row-level security does not bind it", take_away)
        return found  # it is a member of everything and may do everything: one sentence is enough
    if login.bypasses_rls:
        fail(f"{login.login} has BYPASSRLS: it sees every tenant's rows", take_away)
    if login.creates_roles:
        fail(f"{login.login} has CREATEROLE: it could make itself a role that may more", take_away)
    if login.replicates:
        fail(f"{login.login} has REPLICATION: it could read every tenant's changes", take_away)
    allowed = {"partywall_owner"} if role is Role.MIGRATOR else set()
    if others := [name for name in login.memberships if name not in allowed]:
        fail(
            f"{login.login} is a member of {', '.join(others)}: no login may be two",
            "; ".join(f"revoke {name} from {login.login}" for name in others) + ";",
        )
    if login.owned:
        shown = ", ".join(login.owned[:3]) + (", ..." if len(login.owned) > 3 else "")
        fail(
            f"{login.login} owns {shown}: it could switch the wall off",
            f"Give it away, as in: alter {login.owned[0]} owner to partywall_owner;",
        )
    return found


def _judge_schema(connection: Connection, login: Login, role: Role) -> list[Finding]:
    if not login.is_migrated:
        return [Finding(Verdict.FAIL, "the database was never migrated", f"{_BOOTSTRAP}, then: partywall migrate")]
    if role is Role.MIGRATOR and not login.is_superuser:
        if "partywall_owner" not in login.memberships:
            words = f"{login.login} may not act as partywall_owner: it cannot migrate"
            return [Finding(Verdict.FAIL, words, _BOOTSTRAP)] if login.login == role.login else []
        # The question is granted to the roles of services; the migrator asks it as the owner it may become.
        connection.execute(text("set local role partywall_owner"))
    elif not login.may_ask_schema:
        # Expected of a wrong login, which was told already.
        words = f"{login.login} lacks its rights in the schema partywall"
        return [Finding(Verdict.FAIL, words, _MIGRATE)] if login.login == role.login else []
    try:
        require_current(connection)
    except (SchemaOlderError, SchemaNewerError, AppSqlFolderMissingError) as error:
        which = ", ".join(f"{name} {value}" for name, value in error.facts.items())
        return [Finding(Verdict.FAIL, f"{error.message[:1].lower()}{error.message[1:]} ({which})", error.hint)]
    return []


def _judge_pooler(connection: Connection, settings: DatabaseSettings, setting: str) -> list[Finding]:
    url, timeout = settings.url(Role.DISPATCHER), settings.connect_timeout_seconds
    with bare_connection(url, timeout_seconds=timeout) as second:
        match describe_pooler(connection, second):
            case None:
                return []
            case "transaction":
                return [
                    Finding(
                        Verdict.FAIL,
                        "a pooler that lends connections by the transaction stands in between: no LISTEN",
                        f"Let {setting} reach PostgreSQL itself. The other roles may use the pooler.",
                    )
                ]
            case _:
                return [
                    Finding(
                        Verdict.WARN,
                        "a pooler stands in between: LISTEN needs it to pool sessions",
                        f"Better let {setting} reach PostgreSQL itself.",
                    )
                ]


def _judge_reset(connection: Connection, settings: DatabaseSettings, role: Role) -> list[Finding]:
    if not is_pooled(connection):
        return []
    connect = partial(bare_connection, settings.url(role), timeout_seconds=settings.connect_timeout_seconds)
    match find_keeping(connection, connect):
        case "cleaned":
            return []
        case "kept":
            return [Finding(Verdict.FAIL, KEPT_SESSIONS_WORDS, KEPT_SESSIONS_FIX)]
        case "unknown":
            return [Finding(Verdict.WARN, UNSEEN_RESET_WORDS, UNSEEN_RESET_FIX)]
