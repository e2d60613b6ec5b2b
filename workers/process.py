"""What a worker's processes do besides running tasks: log, check before they start, share nothing over a fork."""

import sys
from typing import Any

import structlog
from celery import signals
from sqlalchemy.exc import OperationalError

from db import schema
from db.engine import dispose_engines
from db.errors import PartywallError
from db.roles import Role
from db.session import platform_connection
from tasks.logs import configure_logging

EX_CONFIG = 78
"""The exit code of `sysexits.h` for a configuration that has to be changed before a restart can help."""

log = structlog.get_logger(__name__)


def connect_signals() -> None:
    """Hook into Celery's signals. None of them touches a tenant's context: Celery swallows what receivers raise."""
    signals.setup_logging.connect(_configure_logging)
    signals.worker_init.connect(_check)


def require_ready(role: Role) -> None:
    """Return when this process may start; otherwise say in one line why not and exit with code 78."""
    try:
        with platform_connection(role) as connection:
            schema.require_current(connection)
    except PartywallError as error:
        log.critical("refused_to_start", reason=str(error))
        sys.exit(EX_CONFIG)
    except OperationalError as error:
        log.warning("database_unreachable_at_start", reason=str(error.orig))
    finally:
        dispose_engines()


def _configure_logging(**_: Any) -> None:
    configure_logging("celery")


def _check(**_: Any) -> None:
    # In the main process, before it forks; the children open engines of their own on first use.
    require_ready(Role.WORKER)
