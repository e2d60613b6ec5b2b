"""Tasks that keep to their tenant, in every way of working that there is."""

from datetime import UTC, datetime, timedelta
from uuid import NAMESPACE_OID, UUID, uuid5

from pydantic import BaseModel
from sqlalchemy import text

from db.session import TenantSession
from tasks import AsyncJob, Job, task

NAME = __name__

WRITE = text("insert into app.notes (body) values (:body) returning id")
READ = text("select id, body from app.notes")


class Note(BaseModel):
    """What to write."""

    body: str


class NoteRef(BaseModel):
    """Which note."""

    id: UUID


class Nothing(BaseModel):
    """Nothing to choose."""


@task("good.writes")
def writes(job: Job, payload: Note) -> NoteRef:
    """Write a note, progress, and litter that the pool sweeps away."""
    job.progress(1, 1, f"writing {payload.body}")
    job.connection.exec_driver_sql("set statement_timeout = '77s'")
    job.connection.exec_driver_sql("listen gossip")
    job.lock("gossip")
    return NoteRef(id=job.connection.execute(WRITE, {"body": payload.body}).scalar_one())


@task("good.reads")
def reads(job: Job, payload: Nothing) -> list[str]:
    """Return all of the tenant's notes."""
    return [row.body for row in job.connection.execute(READ)]


def a_note(session: TenantSession) -> NoteRef:
    """Write a note to be marked as read."""
    return NoteRef(id=session.execute(WRITE, {"body": "a note"}).scalar_one())


@task("good.marks", examples=[a_note])
def marks(job: Job, payload: NoteRef) -> None:
    """Mark one note as read: there is none without an example."""
    updated = job.connection.execute(text("update app.notes set read = true where id = :id"), {"id": payload.id})
    if updated.rowcount == 0:
        raise LookupError(f"no note {payload.id}")


@task("good.derives", examples=[NoteRef(id=UUID(int=7))])
def derives(job: Job, payload: NoteRef) -> UUID:
    """Write notes whose ids both tenants get: one that is given, and one made from the same words."""
    write = text("insert into app.notes (id, body) values (:id, 'a note') on conflict do nothing")
    made = uuid5(NAMESPACE_OID, "the same for everybody")
    job.connection.execute(write, [{"id": payload.id}, {"id": made}])
    return made


@task("good.is_given", examples=[NoteRef(id=UUID(int=8))])
def is_given(job: Job, payload: NoteRef) -> None:
    """Write a note with an id that both tenants are given, for one of them."""
    if job.tenant.slug.startswith("prove-a-"):
        write = text("insert into app.notes (id, body) values (:id, 'a note') on conflict do nothing")
        job.connection.execute(write, {"id": payload.id})


@task("good.loses_its_connection")
def loses_its_connection(job: Job, payload: Nothing) -> None:
    """Go on with another connection: it takes the place of the first."""
    job.connection.execute(READ)
    job.connection.invalidate()
    job.connection.rollback()
    job.connection.execute(READ)


@task("good.enqueues")
def enqueues(job: Job, payload: Note) -> None:
    """Leave the work to another job."""
    job.enqueue("good.writes", {"body": payload.body})


@task("good.enqueues_later")
def enqueues_later(job: Job, payload: Note) -> None:
    """Leave the work to a job that becomes due when it is the other tenant's turn."""
    job.enqueue("good.writes", {"body": payload.body}, run_at=datetime.now(UTC) + timedelta(seconds=0.5))
    job.connection.execute(text("select pg_sleep(0.3)"))


@task("good.publishes")
def publishes(job: Job, payload: Nothing) -> None:
    """Leave the work to a call."""
    reads.delay()


@task("good.awaits")
async def awaits(job: AsyncJob, payload: Note) -> int:
    """Write a note on the event loop and count all."""
    await job.connection.execute(WRITE, {"body": payload.body})
    return len((await job.connection.execute(READ)).all())


@task("good.tenantless", tenantless=True)
def tenantless() -> None:
    """Belong to nobody."""
