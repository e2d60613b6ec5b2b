"""An adopter's tables for these tests, written as the documentation tells an adopter to write them."""

from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, select, text
from sqlalchemy.orm import Mapped, relationship

from db.roles import Role
from db.rows import RowId, TenantRow
from db.session import tenant_session
from tests.databases import Database, TestTenant
from tests.db.acting import as_owner

TABLES = """
    create table app.notes (
        tenant_id  uuid not null default partywall.current_tenant_id(),
        id         uuid not null default partywall.uuid7(),
        body       text not null,
        primary key (tenant_id, id)
    );
    create table app.comments (
        tenant_id  uuid not null default partywall.current_tenant_id(),
        id         uuid not null default partywall.uuid7(),
        note_id    uuid not null,
        body       text not null,
        primary key (tenant_id, id),
        foreign key (tenant_id, note_id) references app.notes (tenant_id, id)
    );
    select partywall.protect('app.notes');
    select partywall.protect('app.comments');
"""

COUNT = text("select count(*) from app.notes")


class NoteRow(TenantRow):
    """A note of a tenant."""

    __tablename__ = "notes"

    id: Mapped[RowId]
    body: Mapped[str]
    comments: Mapped[list["CommentRow"]] = relationship(back_populates="note", order_by="CommentRow.body")


class CommentRow(TenantRow):
    """A comment on a note of the same tenant."""

    __tablename__ = "comments"
    __table_args__ = (ForeignKeyConstraint(["tenant_id", "note_id"], ["app.notes.tenant_id", "app.notes.id"]),)

    id: Mapped[RowId]
    note_id: Mapped[UUID]
    body: Mapped[str]
    note: Mapped[NoteRow] = relationship(back_populates="comments")


def create_notes(database: Database) -> None:
    """Migrate the two tables into a test's database."""
    as_owner(database, TABLES)


def write_note(tenant: TestTenant, body: str = "hello") -> None:
    """Commit a note of the tenant."""
    with tenant_session(tenant.context, role=Role.WORKER) as session:
        session.add(NoteRow(body=body))


def rows_of(tenant: TestTenant) -> list[str]:
    """Return the bodies of all the notes that the tenant sees, in order."""
    with tenant_session(tenant.context, role=Role.WORKER) as session:
        return list(session.scalars(select(NoteRow.body).order_by(NoteRow.body)))
