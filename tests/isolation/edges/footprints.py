"""What a task leaves where it ran: a row in its tenant that says which step it was, and on which connection."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Mapped

from db.rows import RowId, TenantRow
from tasks import Job
from tests.databases import Database
from tests.db.acting import as_owner

TABLE = """
    create table app.footprints (
        tenant_id   uuid not null default partywall.current_tenant_id(),
        id          uuid not null default partywall.uuid7(),
        word        text not null,
        step        text not null,
        call_id     uuid not null,
        backend_pid integer not null,
        primary key (tenant_id, id)
    );
    select partywall.protect('app.footprints');
"""


class FootprintRow(TenantRow):
    """A step that a tenant's task has taken."""

    __tablename__ = "footprints"

    id: Mapped[RowId]
    word: Mapped[str]
    step: Mapped[str]
    call_id: Mapped[UUID]
    backend_pid: Mapped[int]


def leave_footprint(job: Job, word: str, step: str) -> None:
    """Write down a step, in the job's transaction."""
    backend_pid = job.connection.execute(text("select pg_backend_pid()")).scalar_one()
    job.session.add(FootprintRow(word=word, step=step, call_id=job.id, backend_pid=backend_pid))


@dataclass(frozen=True)
class Footprint:
    """A row as a superuser sees it."""

    tenant_id: UUID
    word: str
    step: str
    call_id: UUID
    backend_pid: int


def create_footprints(database: Database) -> None:
    """Migrate the table into a test's database."""
    as_owner(database, TABLE)


def footprints(database: Database, *words: str) -> Sequence[Footprint]:
    """Return the rows with these words, whosever they are."""
    found = database.ask(
        "select tenant_id, word, step, call_id, backend_pid from app.footprints where word = any(:words)",
        words=list(words),
    )
    return [Footprint(*row) for row in found]  # type: ignore[arg-type]
