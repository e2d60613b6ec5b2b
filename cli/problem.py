"""The one place where an exception becomes a line on stderr and an exit code."""

import re
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError, OperationalError

from cli.errors import BadInputError, RefusedError
from cli.exit_codes import ExitCode
from cli.stack.errors import HomeUnusableError, ServerMissingError, ServersIncompleteError, StackBusyError
from db import errors
from db.audit import AuditRoleUnknownError, AuditSchemaUnknownError
from db.audit.probe.login import ProbeLoginError
from db.dsn import DsnInvalidError
from db.errors import PartywallError
from db.reachability import why_unreachable
from db.sql_files import AppSqlFolderMissingError

CHECK = "To see what is wrong with each setting, run: partywall check"


@dataclass(frozen=True, slots=True)
class Problem:
    """One line for a person, one number for a script."""

    line: str
    exit_code: ExitCode


# A class that is not here failed: exit code 1.
_EXIT_CODES: dict[type[PartywallError], ExitCode] = {
    BadInputError: ExitCode.USAGE,
    AuditRoleUnknownError: ExitCode.USAGE,
    AuditSchemaUnknownError: ExitCode.USAGE,
    ProbeLoginError: ExitCode.USAGE,
    RefusedError: ExitCode.REFUSED,
    DsnInvalidError: ExitCode.USAGE,
    AppSqlFolderMissingError: ExitCode.USAGE,
    errors.SettingMissingError: ExitCode.USAGE,
    errors.PayloadTooLargeError: ExitCode.USAGE,
    errors.PayloadUnstorableError: ExitCode.USAGE,
    errors.PriorityInvalidError: ExitCode.USAGE,
    errors.LimitInvalidError: ExitCode.USAGE,
    errors.TenantUnknownError: ExitCode.REFUSED,
    errors.TenantSuspendedError: ExitCode.REFUSED,
    errors.TenantDeletingError: ExitCode.REFUSED,
    errors.TenantExistsError: ExitCode.REFUSED,
    errors.CredentialRejectedError: ExitCode.REFUSED,
    errors.JobNotFoundError: ExitCode.REFUSED,
    errors.JobOverError: ExitCode.REFUSED,
    errors.UniqueKeyTakenError: ExitCode.REFUSED,
    errors.IdempotencyKeyReusedError: ExitCode.REFUSED,
    errors.QueueFullError: ExitCode.REFUSED,
    errors.TooManyJobsError: ExitCode.REFUSED,
    errors.TenantDrainingError: ExitCode.REFUSED,
    errors.SigningKeyError: ExitCode.REFUSED,
    errors.SchemaOlderError: ExitCode.REFUSED,
    errors.SchemaNewerError: ExitCode.REFUSED,
    errors.AdministratorNeededError: ExitCode.REFUSED,
    StackBusyError: ExitCode.REFUSED,
    HomeUnusableError: ExitCode.REFUSED,
    ServerMissingError: ExitCode.USAGE,
    ServersIncompleteError: ExitCode.USAGE,
}

# The database keeps these rules; here they only get words.
_CONSTRAINTS = {
    "tenants_slug_is_a_dns_label": (
        "a slug is 1 to 63 of a-z, 0-9 and -, with a letter or digit first and last. Choose another."
    ),
    "jobs_keys_are_short": "a key has at most 255 characters. Choose a shorter one.",
    "tenants_name_is_short": "a name has 1 to 200 characters. Choose another.",
}

_OTHER_SCHEMA = ("3F000", "42883", "42P01", "42703")
"""invalid_schema_name, undefined_function, undefined_table, undefined_column."""


def problem_of(error: Exception) -> Problem:
    """Return what to say about an exception, whatever it is."""
    match error:
        case PartywallError():
            return Problem(_lower_first(str(error)), _exit_code(error))
        case ValidationError():
            return Problem(_settings(error), ExitCode.USAGE)
        case DBAPIError():
            return _from_database(error)
        case _:
            said = _first_line(str(error))
            return Problem(
                f"{type(error).__name__}: {said} This is a bug in Partywall. PARTYWALL_DEBUG=1 shows where.",
                ExitCode.FAILED,
            )


def _exit_code(error: PartywallError) -> ExitCode:
    found = (_EXIT_CODES[kind] for kind in type(error).__mro__ if kind in _EXIT_CODES)
    return next(found, ExitCode.FAILED)


def _settings(error: ValidationError) -> str:
    # Never the input: a setting may be a DSN with its password.
    wrong = (
        f"PARTYWALL_{'_'.join(str(step) for step in each['loc']).upper()}: {each['msg']}"
        for each in error.errors(include_url=False, include_input=False)
    )
    return f"{'; '.join(wrong)}. Correct the setting."


def _from_database(error: DBAPIError) -> Problem:
    driver: Any = error.orig
    sqlstate: str = driver.sqlstate or ""
    constraint = driver.diag.constraint_name
    if constraint in _CONSTRAINTS:
        return Problem(_CONSTRAINTS[constraint], ExitCode.USAGE)
    # Class 22: a value PostgreSQL cannot hold, such as \u0000 in a payload.
    if sqlstate.startswith("22"):
        return Problem(f"PostgreSQL cannot store this: {_first_line(str(driver))}", ExitCode.USAGE)
    if sqlstate == "42501":
        return Problem(f"this login may not do that: {_first_line(str(driver))} {CHECK}", ExitCode.REFUSED)
    if sqlstate in _OTHER_SCHEMA:
        return Problem(
            f"the database is of another age than this code: {_first_line(str(driver))} Run: partywall migrate",
            ExitCode.REFUSED,
        )
    if isinstance(error, OperationalError) and _means_unreachable(sqlstate):
        return Problem(f"{why_unreachable(driver).words}. {CHECK}", ExitCode.UNREACHABLE)
    return Problem(f"PostgreSQL refused: {_first_line(str(driver))} {CHECK}", ExitCode.FAILED)


def _means_unreachable(sqlstate: str) -> bool:
    # None while connecting; 08 connection lost, 28 login, 3D database, 57P shutting down, 53300 no slot left.
    return not sqlstate or sqlstate.startswith(("08", "28", "3D", "57P")) or sqlstate == "53300"


def _first_line(said: str) -> str:
    line = said.strip().partition("\n")[0].rstrip(".")
    return f"{line}." if line else "it did not say why."


def _lower_first(sentence: str) -> str:
    # "The slug" follows a colon here; "PostgreSQL", "NaN" and "PARTYWALL_..." stay as they are.
    return re.sub(r"^[A-Z](?=[a-z]* )", lambda found: found[0].lower(), sentence)
