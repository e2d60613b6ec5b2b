"""What the producer is told, once, on its standard input, and what it says: one JSON object a line.

Tenants go by their slug.
"""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True)


class Access(_Said):
    """A tenant as its own producer knows it."""

    name: str
    """What the input calls it."""
    slug: str
    key: str = Field(repr=False)


class Order(_Said):
    """What the producer has to do. It comes through a pipe: others may read a command line or an environment."""

    api_url: str
    source: Path
    directory: Path
    """For parts on their way; must exist."""
    rows_per_part: int
    tenants: list[Access]


class RecordUnassigned(_Said):
    """A record nobody was given."""

    event: Literal["record_unassigned"] = "record_unassigned"
    line: int
    reason: str


class JobAccepted(_Said):
    """The API answered 202."""

    event: Literal["job_accepted"] = "job_accepted"
    tenant: str
    job: str
    task: str
    file: str | None = None
    rows: int = 0
    """In the file."""


class CutDone(_Said):
    """The input is read to its end; every import is accepted."""

    event: Literal["cut_done"] = "cut_done"


class JobProgressed(_Said):
    """An attempt reported how far it is."""

    event: Literal["job_progressed"] = "job_progressed"
    tenant: str
    job: str
    fraction: float
    """From 0 to 1."""


class JobEnded(_Said):
    """A job reached a state in which it stays."""

    event: Literal["job_ended"] = "job_ended"
    tenant: str
    job: str
    task: str
    state: str
    attempt: int
    created_at: datetime
    finished_at: datetime
    result: dict[str, Any] | None
    error: str | None


class ProducerFailed(_Said):
    """It goes no further; the last thing said."""

    event: Literal["producer_failed"] = "producer_failed"
    reason: str


Event = Annotated[
    RecordUnassigned | JobAccepted | CutDone | JobProgressed | JobEnded | ProducerFailed,
    Field(discriminator="event"),
]

_ADAPTER: TypeAdapter[Event] = TypeAdapter(Event)


def read_event(line: str) -> Event:
    """Return the event that one line of the producer's output spells."""
    return _ADAPTER.validate_json(line)
