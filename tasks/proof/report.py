"""What a proof found."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """What became of a task's proof."""

    ISOLATED = "isolated"
    LEAKS = "leaks"
    NOT_PROVEN = "not proven"
    """It never ran to its end for both tenants, so it had no occasion to leak."""
    TENANTLESS = "tenantless"
    """It belongs to no tenant and was not run."""


class LeakKind(StrEnum):
    """How something got across, or was left behind."""

    READ = "read"
    """PostgreSQL sent a value of one tenant to a connection that worked for the other."""
    KEPT = "kept"
    """One tenant's job, row or result holds a value of the other."""
    WROTE = "wrote"
    """Rows of the other tenant were added, changed or removed."""
    SHARED = "shared"
    """A tenant's value stands in a table that all tenants see."""
    ENTERED = "entered"
    """The other tenant's context was entered with a token kept from an earlier job."""
    LEFT = "left"
    """Something stayed on the pooled connection, or a connection of the task's own stayed open."""
    BROKER = "broker"
    """A tenant's value or token went to the broker."""
    MESSAGE = "message"
    """A message without a tenant, or with another one, was published."""
    LOG = "log"
    """A tenant's value or token stands in a log."""


@dataclass(frozen=True, slots=True)
class Leak:
    """One way out that a task took, in however many runs."""

    kind: LeakKind
    what: str
    """What leaked and where: `read app.notes of the other tenant`."""

    def __str__(self) -> str:
        return self.what


@dataclass
class TaskReport:
    """What is known of one task."""

    task: str
    verdict: Verdict
    runs: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    """Runs by the state their job ended in."""
    rows_read: Counter[str] = field(default_factory=Counter)
    """Rows of the tenant itself that reached the worker and could be recognised, by the tenant's label."""
    rows_written: Counter[str] = field(default_factory=Counter)
    """Rows of the tenant itself that were added, changed or removed."""
    leaks: Counter[Leak] = field(default_factory=Counter)
    """Each with the number of runs it showed in."""
    reason: str | None = None
    """Why it is not proven."""

    @property
    def foreign_rows(self) -> int:
        """In how many runs a row of the other tenant was read, written or kept."""
        rows = (LeakKind.READ, LeakKind.KEPT, LeakKind.WROTE, LeakKind.SHARED, LeakKind.ENTERED)
        return sum(count for leak, count in self.leaks.items() if leak.kind in rows)

    def as_json(self) -> Mapping[str, Any]:
        """Return it as `--json` shows it."""
        return {
            "task": self.task,
            "verdict": self.verdict.value,
            "reason": self.reason,
            "runs": self.runs,
            "outcomes": dict(self.outcomes),
            "rows_read": dict(self.rows_read),
            "rows_written": dict(self.rows_written),
            "foreign_rows": self.foreign_rows,
            "leaks": [{"kind": leak.kind.value, "what": leak.what, "runs": runs} for leak, runs in self.leaks.items()],
        }
