"""What the dispatcher and the reaper ask of the database. Both see ids and timing, never a payload."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from db.jobs import JobState


@dataclass(frozen=True, slots=True)
class Dispatched:
    """One job to hand to the broker. `nonce` is the proof, good once, that the message came from a dispatch."""

    tenant_id: UUID
    tenant_slug: str
    job_id: UUID
    task_name: str
    queue: str
    nonce: UUID
    overtakes: bool = field(default=False, compare=False)
    """Its tenant has come back and owes nothing: it goes before what waits at the broker. Sent again, it does not."""


@dataclass(frozen=True, slots=True)
class ExpiredLease:
    """One attempt that did not end in time, and what became of its job."""

    tenant_id: UUID
    job_id: UUID
    attempt: int
    state: JobState


_DISPATCH = text("""
    select *
    from partywall.dispatch(
        :queues, :known_tasks, :arrivals, :batch_limit, :in_flight_limit, make_interval(secs => :resend_after),
        :in_flight_spare, :in_flight_seconds, :bundle_limit, :bundle_seconds, can_overtake => :can_overtake
    )
""")


def dispatch(
    connection: Connection,
    *,
    queues: Sequence[str],
    known_tasks: Sequence[str] | None,
    arrivals: Collection[str] | None = None,
    batch_limit: int,
    in_flight_limit: int,
    resend_after_seconds: float,
    in_flight_spare: int = 0,
    in_flight_seconds: float | None = None,
    bundle_limit: int = 1,
    bundle_seconds: float = 0,
    can_overtake: bool = True,
) -> list[Dispatched]:
    """Return the jobs of a lane the broker is to be told of next, in fair order, already committed as `dispatched`.

    A lane is the queues that share workers. Jobs of a task that is not among `known_tasks` wait; None sends all.
    `arrivals` are the notifications since the last call; None looks at every tenant. No more than `in_flight_limit`
    are at the broker, and beyond `in_flight_spare` of them no more than fill `in_flight_seconds` of run time; jobs with
    one nonce travel together, `bundle_limit` at most, for `bundle_seconds` of run time. `can_overtake` says that the
    broker lets a message go before others. One round trip.
    """
    rows = connection.execute(
        _DISPATCH,
        {
            "queues": list(queues),
            "known_tasks": None if known_tasks is None else list(known_tasks),
            "arrivals": None if arrivals is None else list(arrivals),
            "batch_limit": batch_limit,
            "in_flight_limit": in_flight_limit,
            "resend_after": resend_after_seconds,
            "in_flight_spare": in_flight_spare,
            "in_flight_seconds": in_flight_seconds,
            "bundle_limit": bundle_limit,
            "bundle_seconds": bundle_seconds,
            "can_overtake": can_overtake,
        },
    ).all()
    connection.commit()
    return [_dispatched(row, overtakes=row.overtakes) for row in rows]


_UNCLAIMED = text("""
    select exists (
        select
        from partywall.jobs as jobs
        where jobs.state = 'dispatched'
          and jobs.queue = :queue
          and jobs.dispatched_at <= now() - make_interval(secs => :seconds)
    )
""")
_RESEND_LOST = text("""
    select *
    from partywall.resend_lost(:queue, :known_tasks, :at_broker, make_interval(secs => :lost_after), :batch_limit)
""")


def are_unclaimed(connection: Connection, *, queue: str, for_seconds: float) -> bool:
    """Return whether the broker was told of a job of the queue so long ago, and no worker has claimed it."""
    found: bool = connection.execute(_UNCLAIMED, {"queue": queue, "seconds": for_seconds}).scalar_one()
    connection.commit()
    return found


def resend_lost(
    connection: Connection,
    *,
    queue: str,
    known_tasks: Sequence[str],
    at_broker: int,
    lost_after_seconds: float,
    batch_limit: int,
) -> list[Dispatched]:
    """Return the jobs whose messages the broker no longer has, given that `at_broker` wait there, to be sent again.

    The oldest first, at most `batch_limit`, and none that was sent within `lost_after_seconds`: it may be on its way.
    """
    rows = connection.execute(
        _RESEND_LOST,
        {
            "queue": queue,
            "known_tasks": list(known_tasks),
            "at_broker": at_broker,
            "lost_after": lost_after_seconds,
            "batch_limit": batch_limit,
        },
    ).all()
    connection.commit()
    return [_dispatched(row) for row in rows]


def _dispatched(row: Any, *, overtakes: bool = False) -> Dispatched:
    return Dispatched(
        tenant_id=row.tenant_id,
        tenant_slug=row.tenant_slug,
        job_id=row.job_id,
        task_name=row.task_name,
        queue=row.queue,
        nonce=row.nonce,
        overtakes=overtakes,
    )


def undo_dispatch(connection: Connection, nonces: Iterable[UUID]) -> int:
    """Take back jobs that could not be handed to the broker; return how many wait again."""
    taken_back = connection.execute(
        text("select partywall.undo_dispatch(:nonces)"), {"nonces": list(nonces)}
    ).scalar_one()
    connection.commit()
    return int(taken_back)


def expire_leases(connection: Connection, *, limit: int) -> list[ExpiredLease]:
    """Take back the jobs of attempts whose lease ran out, at most `limit`; return what became of each."""
    rows = connection.execute(text("select * from partywall.expire_leases(:batch_limit)"), {"batch_limit": limit}).all()
    connection.commit()
    return [
        ExpiredLease(tenant_id=row.tenant_id, job_id=row.job_id, attempt=row.attempt, state=JobState(row.new_state))
        for row in rows
    ]


def expire_jobs(connection: Connection, *, limit: int) -> int:
    """End jobs that were to be started by a moment that has passed, at most `limit`; return how many."""
    expired = connection.execute(
        text("select partywall.expire_jobs(:batch_limit)"), {"batch_limit": limit}
    ).scalar_one()
    connection.commit()
    return int(expired)


def cancel_jobs_of_deleted(connection: Connection, *, limit: int) -> int:
    """Cancel jobs that wait for tenants that are being deleted, at most `limit`; return how many."""
    cancelled = connection.execute(
        text("select partywall.cancel_jobs_of_deleted(:batch_limit)"), {"batch_limit": limit}
    ).scalar_one()
    connection.commit()
    return int(cancelled)
