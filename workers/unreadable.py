"""Messages that Celery cannot read: it logs them whole, with arguments, headers and all. Here it says what is wrong."""

import logging

from celery.worker.consumer.consumer import (
    INVALID_TASK_ERROR,
    MESSAGE_DECODE_ERROR,
    UNKNOWN_FORMAT,
    UNKNOWN_TASK_ERROR,
)
from celery.worker.consumer.consumer import logger as consumer_logger

_SAYS = {
    UNKNOWN_FORMAT: "message_refused: it is no task's",
    UNKNOWN_TASK_ERROR: "message_refused: its task is not registered here, see PARTYWALL_TASK_MODULES: %s",
    INVALID_TASK_ERROR: "message_refused: it does not follow Celery's protocol: %s",
    MESSAGE_DECODE_ERROR: "message_refused: it cannot be decoded: %s",
}
"""What is logged in place of Celery's own words, with the class or the key of the error where there is one."""


class _WithoutContents(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        said = _SAYS.get(str(record.msg))
        if said is not None:
            record.msg, record.args = said, _cause(record, said)
            record.exc_info = None
        return True


def _cause(record: logging.LogRecord, said: str) -> tuple[str, ...]:
    if "%s" not in said or not isinstance(record.args, tuple):
        return ()
    error = record.args[0]
    # A task's name; any other error may quote what it could not read.
    return (str(error) if isinstance(error, KeyError) else type(error).__name__,)


def log_without_contents() -> None:
    """Keep what stands in such a message out of the log: it may be a tenant's data, or a token."""
    consumer_logger.addFilter(_WithoutContents())
