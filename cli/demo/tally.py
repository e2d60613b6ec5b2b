"""What has happened so far, tenant by tenant, counted from what the producer says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Context, Decimal, Inexact

from cli.demo.events import Event, JobAccepted, JobEnded, JobProgressed, RecordUnassigned
from cli.demo.producer import IMPORT, STATEMENT

EXACT = Context(prec=100, traps=[Inexact])
"""Money is added up without rounding; Python's default would round at 28 digits."""


@dataclass
class TenantTally:
    """One tenant's jobs and what came of them."""

    whole_rows: int
    """Its records in the input that have the right number of fields."""
    jobs: list[str] = field(default_factory=list)
    jobs_ended: int = 0
    retries: int = 0
    """Attempts beyond the first of each job."""
    rows_imported: int = 0
    rows_rejected: int = 0
    rows_already_there: int = 0
    revenue: Decimal = Decimal(0)
    failures: list[str] = field(default_factory=list)
    """A line for each job that did not succeed."""
    files: list[str] = field(default_factory=list)
    statement: JobEnded | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    _rows_of_job: dict[str, int] = field(default_factory=dict)
    _under_way: dict[str, float] = field(default_factory=dict)
    """Rows read by imports that run now."""

    @property
    def rows(self) -> int:
        """Rows there are to read, as far as is known: all of them once the input is cut."""
        return max(self.whole_rows, sum(self._rows_of_job.values()))

    @property
    def rows_done(self) -> int:
        """Rows read so far, those of imports that still run included."""
        return self.rows_imported + self.rows_rejected + self.rows_already_there + int(sum(self._under_way.values()))

    @property
    def seconds(self) -> float:
        """From its first job's arrival to its last job's end, by the clock of the database."""
        if self.started_at is None or self.finished_at is None:
            return 0.0
        return (self.finished_at - self.started_at).total_seconds()

    def accept(self, job: JobAccepted) -> None:
        self.jobs.append(job.job)
        self._rows_of_job[job.job] = job.rows
        if job.file is not None:
            self.files.append(job.file)

    def progress(self, job: JobProgressed) -> None:
        self._under_way[job.job] = job.fraction * self._rows_of_job[job.job]

    def end(self, job: JobEnded) -> None:
        self._under_way.pop(job.job, None)
        self.jobs_ended += 1
        self.retries += max(0, job.attempt - 1)
        self.started_at = min(job.created_at, self.started_at or job.created_at)
        self.finished_at = max(job.finished_at, self.finished_at or job.finished_at)
        if job.state != "succeeded" or job.result is None:
            self.failures.append(f"{job.task} {job.job} {job.state} at attempt {job.attempt}: {job.error}")
        elif job.task == STATEMENT:
            self.statement = job
        elif job.task == IMPORT:
            self.rows_imported += job.result["rows_imported"]
            self.rows_rejected += job.result["rows_rejected"]
            self.rows_already_there += job.result["rows_already_there"]
            self.revenue = EXACT.add(self.revenue, Decimal(job.result["revenue"]))


class Tally:
    """All tenants by slug, and the records that are nobody's."""

    def __init__(self, whole_rows_of: Mapping[str, int]) -> None:
        self.of = {slug: TenantTally(rows) for slug, rows in whole_rows_of.items()}
        self.unassigned: dict[int, str] = {}
        """Reason by line."""

    def hear(self, event: Event) -> None:
        """Count what an event says."""
        match event:
            case JobAccepted():
                self.of[event.tenant].accept(event)
            case JobProgressed():
                self.of[event.tenant].progress(event)
            case JobEnded():
                self.of[event.tenant].end(event)
            case RecordUnassigned():
                self.unassigned[event.line] = event.reason
            case _:
                pass  # nothing to count
