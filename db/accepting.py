"""Accepting a job: what a request may ask for, and the one statement that makes it durable."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DataError

from db.errors import PayloadUnstorableError, PriorityInvalidError
from db.session import Executor

IfLive = Literal["reject", "return"]

PRIORITY_LIMIT = 100
"""A priority is a whole number from minus this to this."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a request may ask of its job besides the task and its payload. All of it may be left out."""

    run_at: datetime | None = None
    """Not before; None or in the past means now."""
    expires_at: datetime | None = None
    """What nobody started by then has expired."""
    idempotency_key: str | None = None
    """The same request sent twice is one job. At most 255 characters."""
    unique_key: str | None = None
    """At most one live job of the tenant has it. At most 255 characters."""
    if_live: IfLive = "reject"
    """What to do when one has: `reject` this request, or `return` the id of that job."""
    priority: int = 0
    """From -100 to 100. Of the tenant's own jobs those with more are started first; other tenants' do not care."""

    def __post_init__(self) -> None:
        # PostgreSQL asks too; but 0.5, or a number too long for it, would look like a function that is not there.
        if type(self.priority) is not int or abs(self.priority) > PRIORITY_LIMIT:
            raise PriorityInvalidError(
                priority=repr(self.priority), hint=f"Name a whole number from -{PRIORITY_LIMIT} to {PRIORITY_LIMIT}."
            )


@dataclass(frozen=True, slots=True)
class Accepted:
    """A job that will run. `is_new` is False for one that was accepted before, under the same key."""

    job_id: UUID
    is_new: bool


_ENQUEUE = text("""
    select *
    from partywall.enqueue(
        :task_name, :payload, :queue, :run_at, :max_attempts, :runs_for_deleted, :max_lost, :expires_at,
        :idempotency_key, :unique_key, :if_live, :priority
    )
""").bindparams(bindparam("payload", type_=JSONB))


def accept(
    executor: Executor,
    *,
    task_name: str,
    payload: Any,
    queue: str,
    max_attempts: int,
    max_lost: int = 3,
    runs_for_deleted: bool = False,
    wishes: Wishes | None = None,
) -> Accepted:
    """Accept a job of the executor's tenant. It exists when the transaction commits.

    `payload` is JSON of at most 256 KiB. `max_lost`: so many attempts that lose their worker are too many.
    `runs_for_deleted`: also while its tenant is being deleted.

    Raises:
        NoTenantError, TenantSuspendedError, TenantDeletingError, PayloadTooLargeError: nothing was accepted.
        IdempotencyKeyReusedError: neither; its key stands for another task or payload.
        UniqueKeyTakenError: neither; a job with its key is live.
        QueueFullError, TenantDrainingError: neither; as many of its jobs wait as may, or none is accepted any more.
        PayloadUnstorableError: neither; jsonb holds no U+0000, for example. The transaction is over.
    """
    wishes = wishes or Wishes()
    values = {
        "task_name": task_name,
        "payload": payload,
        "queue": queue,
        "max_attempts": max_attempts,
        "max_lost": max_lost,
        "runs_for_deleted": runs_for_deleted,
        "run_at": wishes.run_at,
        "expires_at": wishes.expires_at,
        "idempotency_key": wishes.idempotency_key,
        "unique_key": wishes.unique_key,
        "if_live": wishes.if_live,
        "priority": wishes.priority,
    }
    try:
        accepted = executor.execute(_ENQUEUE, values).one()
    except DataError as error:
        reason = getattr(error.orig, "diag", None)
        raise PayloadUnstorableError(
            reason=reason and reason.message_primary,
            hint="Leave out U+0000, halves of surrogate pairs and numbers that are not finite.",
        ) from None
    return Accepted(job_id=accepted.job_id, is_new=accepted.is_new)
