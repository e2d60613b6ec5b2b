"""Handing dispatched jobs to the broker."""

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from uuid import UUID

import structlog
from sqlalchemy import Connection

from db.dispatching import Dispatched, undo_dispatch
from tasks.application import TenantCelery
from tasks.message import JobMessage
from tasks.urgency import BEFORE_OTHERS, IN_TURN
from workers.application import app
from workers.faults import BROKER_FAULTS

CONFIRM_SECONDS = 10.0
"""How long RabbitMQ may take to say that it has a message."""

log = structlog.get_logger(__name__)


def ask_for_confirmations(app: TenantCelery) -> None:
    """Have RabbitMQ say of each message that it has it. Unasked it says nothing, not even that there is nobody.

    Redis answers every command. Not for all processes: a worker's main loop would wait for each of its events.
    """
    app.conf.broker_transport_options = {**app.conf.broker_transport_options, "confirm_publish": True}


def can_overtake(app: TenantCelery) -> bool:
    """Return whether the broker gives out what has priority first. RabbitMQ's queues were declared without any."""
    return not str(app.conf.broker_url).startswith("amqp")


def publish_or_undo(connection: Connection, dispatched: Sequence[Dispatched]) -> int:
    """Tell the broker of jobs; what it did not take waits in PostgreSQL again. Return how many it took."""
    unsent = publish(app, dispatched)
    if unsent:
        undo_dispatch(connection, unsent)
    return sum(job.nonce not in unsent for job in dispatched)


def publish(app: TenantCelery, dispatched: Sequence[Dispatched]) -> list[UUID]:
    """Send a message for each nonce, in order; return the nonces of those the broker did not take.

    After the first failure the rest is not tried: the broker is away, and they go back to where they can wait.
    """
    bundles = [list(bundle) for _, bundle in groupby(dispatched, key=attrgetter("nonce"))]
    for position, bundle in enumerate(bundles):
        try:
            _send(app, bundle)
        except BROKER_FAULTS as fault:
            unsent = bundles[position:]
            log.warning("broker_unavailable", fault=type(fault).__name__, unsent=len(unsent))
            return [each[0].nonce for each in unsent]
    return []


def _send(app: TenantCelery, bundle: Sequence[Dispatched]) -> None:
    first = bundle[0]
    message = JobMessage(tenant_id=first.tenant_id, job_ids=tuple(job.job_id for job in bundle), nonce=first.nonce)
    with app.producer_pool.acquire(block=True) as producer:
        try:
            app.send_job_message(
                first.task_name,
                message,
                tenant_slug=first.tenant_slug,
                queue=first.queue,
                producer=producer,
                priority=BEFORE_OTHERS if first.overtakes else IN_TURN,
                retry=False,
                confirm_timeout=CONFIRM_SECONDS,
            )
        except BROKER_FAULTS:
            # Back in the pool, a connection at whose other end is nobody would be tried for ever.
            if producer.connection is not None:
                producer.connection.collect()
            raise
