"""Sending again what the broker lost: it was emptied, or came back with nothing."""

from collections.abc import Sequence

import structlog
from sqlalchemy import Connection

from db.dispatching import are_unclaimed, resend_lost
from workers.application import app
from workers.depth import messages_waiting
from workers.faults import BROKER_FAULTS
from workers.publishing import publish_or_undo

LOST_AFTER_SECONDS = 2.0
"""How long a message that no longer waits at the broker may be on its way to its claim. After that it is lost."""
BATCH_LIMIT = 100

log = structlog.get_logger(__name__)


def resend_what_was_lost(connection: Connection, queue: str, known_tasks: Sequence[str]) -> int:
    """Send again what the broker was told of and is neither there nor claimed; return how many jobs it took."""
    if not are_unclaimed(connection, queue=queue, for_seconds=LOST_AFTER_SECONDS):
        return 0
    try:
        waiting = messages_waiting(app, queue)
    except BROKER_FAULTS as fault:
        log.warning("broker_unavailable", fault=type(fault).__name__)
        return 0
    sent = messages = 0
    # To the last one: what is sent now waits at the broker, too.
    while lost := resend_lost(
        connection,
        queue=queue,
        known_tasks=known_tasks,
        at_broker=waiting + messages,
        lost_after_seconds=LOST_AFTER_SECONDS,
        batch_limit=BATCH_LIMIT,
    ):
        log.warning("messages_lost", queue=queue, jobs=len(lost))
        taken = publish_or_undo(connection, lost)
        sent += taken
        messages += len({job.nonce for job in lost})
        if taken < len(lost):
            break
    return sent
