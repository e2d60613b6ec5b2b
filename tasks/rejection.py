"""Saying no to a message: once in the log, and once to Celery, which then drops it."""

from typing import Any

import structlog
from celery.exceptions import Reject

from db.errors import PartywallError

log = structlog.get_logger(__name__)


def rejected(event: str, reason: PartywallError | str, **facts: Any) -> Reject:
    """Log why a message is not acted on and return what to raise. The job, if there is one, stays as it is."""
    said = str(reason)
    if isinstance(reason, PartywallError):
        facts["error"] = type(reason).__name__
        # A result backend keeps nothing but the text.
        said = f"{facts['error']}: {reason}"
    log.warning(event, reason=str(reason), **facts)
    return Reject(said, requeue=False)
