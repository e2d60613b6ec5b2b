"""What should become of a job, in Python: the rules of docs/explanation/job-states.md once more, without SQL."""

from dataclasses import dataclass, field
from uuid import UUID

from db.attempts import Attempt
from db.dispatching import Dispatched

LEASE_SECONDS = 60
MAX_ATTEMPTS = 4
MAX_LOST = 3
LIVE_UNCLAIMED = ("scheduled", "queued", "dispatched")
OVER = ("succeeded", "failed", "cancelled", "expired")


@dataclass
class ModelJob:
    """One job as it should be. Moments are seconds of the machine's clock."""

    tenant: int
    id: UUID
    state: str
    run_at: float
    expires_at: float | None
    attempt: int = 0
    handed_back: int = 0
    lost: int = 0
    max_attempts: int = MAX_ATTEMPTS
    max_lost: int = MAX_LOST
    nonce: UUID | None = None
    lease_until: float = 0
    ended: list[tuple[int, str]] = field(default_factory=list)
    """Number and outcome of each attempt that is over."""

    def is_late(self, now: float) -> bool:
        return self.expires_at is not None and self.expires_at <= now

    def start(self, now: float) -> None:
        self.state, self.attempt, self.lease_until = "running", self.attempt + 1, now + LEASE_SECONDS

    def succeed(self) -> None:
        self._note("succeeded", "succeeded")

    def cancel(self) -> None:
        if self.state == "running":
            self._note("cancelled", "cancelled")
        self.state, self.nonce = "cancelled", None

    def end(self, outcome: str, now: float, *, retry_after: float | None) -> None:
        """End the attempt that runs without success."""
        was_lost = outcome in ("killed", "lost")
        tries = self.attempt - self.handed_back
        self.lost += was_lost
        self.handed_back += outcome == "handed_back"
        if outcome == "cancelled":
            self._note(outcome, "cancelled")
        elif outcome == "handed_back":
            self._note(outcome, "queued")
        elif (was_lost and self.lost >= self.max_lost) or tries >= self.max_attempts or retry_after is None:
            self._note(outcome, "failed")
        else:
            self._note(outcome, "scheduled" if retry_after else "queued")
        self.run_at = now + (retry_after or 0)

    def retry(self, now: float) -> None:
        self.state, self.run_at, self.expires_at = "queued", now, None
        self.max_attempts = max(self.max_attempts, self.attempt - self.handed_back + 1)
        self.max_lost = max(self.max_lost, self.lost + 1)

    def _note(self, outcome: str, state: str) -> None:
        self.ended.append((self.attempt, outcome))
        self.state, self.nonce = state, None


@dataclass(frozen=True)
class Held:
    """An attempt that some process believes it holds, rightly or not any more."""

    job: ModelJob
    message: Dispatched
    attempt: Attempt

    @property
    def holds(self) -> bool:
        return self.job.state == "running" and self.job.attempt == self.attempt.number
