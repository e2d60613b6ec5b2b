"""Accepting jobs: what a request may ask for, and the statement that makes one, or a thousand, durable."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import accumulate
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DataError

from db.errors import PartywallError, PayloadUnstorableError, PriorityInvalidError
from db.session import Executor

IfLive = Literal["reject", "return"]

PRIORITY_LIMIT = 100
"""A priority is a whole number from minus this to this."""

BATCH_LIMIT = 1000
"""So many jobs are accepted by one statement at most."""


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
class NewJob:
    """A job to be accepted. What each field means, `accept()` says."""

    task_name: str
    payload: Any
    queue: str
    max_attempts: int
    max_lost: int = 3
    runs_for_deleted: bool = False
    wishes: Wishes = field(default_factory=Wishes)

    def arguments(self) -> dict[str, Any]:
        """Return what `partywall.enqueue()` takes, by name."""
        return {
            "task_name": self.task_name,
            "payload": self.payload,
            "queue": self.queue,
            "max_attempts": self.max_attempts,
            "max_lost": self.max_lost,
            "runs_for_deleted": self.runs_for_deleted,
            "run_at": self.wishes.run_at,
            "expires_at": self.wishes.expires_at,
            "idempotency_key": self.wishes.idempotency_key,
            "unique_key": self.wishes.unique_key,
            "if_live": self.wishes.if_live,
            "priority": self.wishes.priority,
        }


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
    return accept_job(
        executor, NewJob(task_name, payload, queue, max_attempts, max_lost, runs_for_deleted, wishes or Wishes())
    )


def accept_job(executor: Executor, job: NewJob) -> Accepted:
    """Accept a job of the executor's tenant, as `accept()` does."""
    try:
        accepted = executor.execute(_ENQUEUE, job.arguments()).one()
    except DataError as error:
        raise _unstorable(error) from None
    return Accepted(job_id=accepted.job_id, is_new=accepted.is_new)


def accept_many(executor: Executor, jobs: Sequence[NewJob]) -> list[Accepted]:
    """Accept jobs of the executor's tenant, in this order: all of them, or none. They exist when it commits.

    Each thousand is one statement. Those that have a key in their wishes are slower than the rest.

    Raises:
        PartywallError: as `accept()` does. The fact `position` says which job is wrong, from 0, if one alone is.
    """
    accepted: list[Accepted] = []
    for first in range(0, len(jobs), BATCH_LIMIT):
        try:
            accepted += _accept_batch(executor, jobs[first : first + BATCH_LIMIT])
        except PartywallError as error:
            if "position" in error.facts:
                error.facts["position"] += first
            raise
    return accepted


# One row: a thousand would take longer to read than half of what accepting them does.
_ENQUEUE_MANY = text("""
    select array_agg(job_id order by place) as job_ids, array_agg(is_new order by place) as are_new
    from partywall.enqueue_many(cast(:items as jsonb))
""")


def _accept_batch(executor: Executor, jobs: Sequence[NewJob]) -> list[Accepted]:
    items = [job.arguments() for job in jobs]
    try:
        accepted = executor.execute(_ENQUEUE_MANY, {"items": _AS_JSON.encode(items)}).one()
    except DataError as error:
        # "JSON data, line 18: ...", in the server's language.
        where = getattr(error.orig, "diag", None)
        line = re.match(r"[^\d\n]*JSON[^\d\n]*(\d+)", (where and where.context) or "")
        raise _unstorable(error, position=_position_of(int(line[1]), items) if line else None) from None
    return list(map(Accepted, accepted.job_ids, accepted.are_new))


def _position_of(line: int, items: Sequence[Any]) -> int:
    """Return which of the items has that line of the JSON, from 1, that is made of all of them."""
    ends = accumulate(_AS_JSON.encode(item).count("\n") + 1 for item in items)
    return next(position for position, end in enumerate(ends) if line <= end)


def _moment(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"not JSON: {type(value).__name__}")


_AS_JSON = json.JSONEncoder(default=_moment, separators=(",\n", ":"))
"""Of many lines, so that PostgreSQL says about where a payload is that it cannot keep."""


def _unstorable(error: DataError, *, position: int | None = None) -> PayloadUnstorableError:
    said = getattr(error.orig, "diag", None)
    facts: dict[str, Any] = {} if position is None else {"position": position}
    return PayloadUnstorableError(
        reason=said and said.message_primary,
        hint="Leave out U+0000, halves of surrogate pairs and numbers that are not finite.",
        **facts,
    )
