"""Messages that Celery cannot read: it logs them whole, with arguments, headers and all. Here it says what is wrong."""

import logging
from typing import Any

from celery.worker.consumer.consumer import (  # type: ignore[attr-defined]
    INVALID_TASK_ERROR,
    MESSAGE_DECODE_ERROR,
    UNKNOWN_FORMAT,
    UNKNOWN_TASK_ERROR,
    logger,
)

from tasks.reception import MessageRefusedError

_SAYS = {
    UNKNOWN_FORMAT: "message_refused: it is no task's",
    UNKNOWN_TASK_ERROR: "message_refused: its task is not registered here, see PARTYWALL_TASK_MODULES: %s",
    INVALID_TASK_ERROR: "message_refused: %s",
    MESSAGE_DECODE_ERROR: "message_refused: it cannot be decoded: %s",
}
"""What is logged in place of Celery's own words."""


class _WithoutContents(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        said = _SAYS.get(str(record.msg))
        if said is not None:
            cause = (_cause(record),) if "%s" in said else ()
            record.msg, record.args, record.exc_info = said, cause, None
        return True


def _cause(record: logging.LogRecord) -> str:
    error: Any = record.args[0] if isinstance(record.args, tuple) else None
    # The name of the task, or what we say ourselves; any other error may quote what it could not read.
    speaks = record.msg == UNKNOWN_TASK_ERROR or isinstance(error, MessageRefusedError)
    return str(error) if speaks else type(error).__name__


def log_without_contents() -> None:
    """Keep what stands in such a message out of the log: it may be a tenant's data, or a token."""
    logger.addFilter(_WithoutContents())
