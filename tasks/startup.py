"""What every process asks before it works: is this my database, of my age, and does the wall stand there?

A database that is away is waited for and asked when it is there; nothing is done in it unasked.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any

import structlog
from pydantic import ValidationError
from sqlalchemy.exc import OperationalError

from db import gate
from db.errors import PartywallError
from db.reachability import why_unreachable
from db.roles import Role

EX_CONFIG = 78
"""The exit code of `sysexits.h` for a configuration that has to be changed before a restart can help."""
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 5.0

log = structlog.get_logger(__name__)

_fit: set[Role] = set()


def check(role: Role) -> None:
    """Return when the role's login and database are fit to work with. Once they were, nothing is asked again.

    Raises:
        PartywallError: they are not, and only a person can change that.
        OperationalError: the database is away.
    """
    if role not in _fit:
        gate.require_fit(role)
        _fit.add(role)


@contextmanager
def starting(*roles: Role) -> Iterator[None]:
    """Wait until each role's database is there and fit, then run the block; exit with 78 when either is refused."""
    with refusing():
        _wait(roles, Event())
        yield


def require_ready(*roles: Role, stopping: Event) -> None:
    """Return when the process may start, or was told to stop meanwhile; otherwise exit with 78."""
    with refusing():
        _wait(roles, stopping)


@contextmanager
def refusing() -> Iterator[None]:
    """Run the block; where it raises what only a person can change, say so in one line and exit with 78."""
    try:
        yield
    except (PartywallError, ImportError) as refusal:
        log_refusal(str(refusal))
    except ValidationError as refusal:
        wrong = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in refusal.errors(include_input=False)]
        log_refusal(f"A setting is not valid: {'; '.join(wrong)}.")
    else:
        return
    sys.exit(EX_CONFIG)


def log_refusal(reason: str) -> None:
    """Log the one line that a process ends with."""
    log.critical("refused_to_start", reason=reason)


def log_away(error: OperationalError, **facts: Any) -> None:
    """Log that the database is away, in plain words."""
    driver: Any = error.orig
    log.warning("database_unreachable_at_start", reason=why_unreachable(driver).words, **facts)


def _wait(roles: tuple[Role, ...], stopping: Event) -> None:
    pause = FIRST_PAUSE_SECONDS
    for role in roles:
        while not stopping.is_set():
            try:
                check(role)
                break
            except OperationalError as error:
                log_away(error, role=role.value, pause_seconds=pause)
            stopping.wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
