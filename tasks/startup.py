"""What every process asks before it serves: is this my database, and of my age?"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from pydantic import ValidationError
from sqlalchemy.exc import OperationalError

from db import schema
from db.engine import dispose_engines
from db.errors import PartywallError
from db.roles import Role
from db.session import platform_connection

EX_CONFIG = 78
"""The exit code of `sysexits.h` for a configuration that has to be changed before a restart can help."""

log = structlog.get_logger(__name__)


@contextmanager
def starting(role: Role) -> Iterator[None]:
    """Check the role's database, then run the block; say in one line why not and exit with 78 if either is refused.

    A database that cannot be reached is no reason to stay away: it comes back, and every process waits for it.
    """
    try:
        _check(role)
        yield
    except (PartywallError, ImportError) as refusal:
        _refuse(str(refusal))
    except ValidationError as refusal:
        wrong = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in refusal.errors(include_input=False)]
        _refuse(f"A setting is not valid: {'; '.join(wrong)}.")


def require_ready(role: Role) -> None:
    """Return when the process may start; otherwise exit with 78."""
    with starting(role):
        return


def _check(role: Role) -> None:
    try:
        with platform_connection(role) as connection:
            schema.require_current(connection)
    except OperationalError as error:
        log.warning("database_unreachable_at_start", reason=str(error.orig).partition("\n")[0])
    finally:
        dispose_engines()


def _refuse(reason: str) -> None:
    log.critical("refused_to_start", reason=reason)
    sys.exit(EX_CONFIG)
