"""What became of the jobs: the producers' list against what stands in the database."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from bench.chaos.tasks import PARTS, PIECEMEAL

ENDED = frozenset({"succeeded", "failed"})


class JobFact(NamedTuple):
    """A job as the database has it."""

    job_id: UUID
    tenant_id: UUID
    task: str
    state: str
    attempt: int


class EffectFact(NamedTuple):
    """What one attempt left behind."""

    tenant_id: UUID
    job_id: UUID
    attempt: int
    part: int
    foreign_rows: int


@dataclass(frozen=True)
class Verdict:
    """Each field names what it counts; `lost`, `duplicated`, `stray`, `taken_back` and `foreign` have to be empty."""

    accepted: int
    unanswered: int
    """Jobs that exist though their producer got no answer: they are held to the same."""
    succeeded: int
    failed: int
    attempts: int
    lost: Sequence[tuple[UUID, str]]
    duplicated: Sequence[tuple[UUID, int]]
    """Effects beyond the first of a job's part."""
    stray: Sequence[UUID]
    """Jobs that did not succeed and whose effect was kept all the same."""
    taken_back: Sequence[UUID]
    """Jobs whose tenant was told that an attempt has succeeded, and that did not, or with another."""
    foreign: int
    """Rows of another tenant that a body saw, and effects that stand with another tenant than their job."""

    def figures(self) -> dict[str, float]:
        """Return the counts."""
        return {
            "accepted": self.accepted,
            "accepted_without_an_answer": self.unanswered,
            "succeeded": self.succeeded,
            "failed": self.failed,
            "attempts": self.attempts,
            "lost": len(self.lost),
            "duplicated": len(self.duplicated),
            "stray": len(self.stray),
            "taken_back": len(self.taken_back),
            "foreign": self.foreign,
        }


def judge(
    accepted: Collection[UUID],
    jobs: Mapping[UUID, JobFact],
    effects: Sequence[EffectFact],
    told: Mapping[UUID, int],
) -> Verdict:
    """Return what is missing, what is there twice and what is where it should not be."""
    kept = Counter((effect.job_id, effect.part) for effect in effects)
    lost = [(job_id, "accepted, and no such row") for job_id in accepted if job_id not in jobs]
    for job in jobs.values():
        if job.state not in ENDED:
            lost.append((job.job_id, f"{job.state} after attempt {job.attempt}"))
        elif job.state == "succeeded":
            missing = [part for part in range(PARTS[job.task]) if (job.job_id, part) not in kept]
            if missing:
                lost.append((job.job_id, f"succeeded without effect {', '.join(map(str, missing))}"))
    ended_otherwise = {job.job_id for job in jobs.values() if job.state != "succeeded" and job.task not in PIECEMEAL}
    return Verdict(
        accepted=len(accepted),
        unanswered=len(jobs.keys() - set(accepted)),
        succeeded=sum(job.state == "succeeded" for job in jobs.values()),
        failed=sum(job.state == "failed" for job in jobs.values()),
        attempts=sum(job.attempt for job in jobs.values()),
        lost=lost,
        duplicated=[key for key, count in kept.items() for _ in range(count - 1)],
        stray=sorted({effect.job_id for effect in effects} & ended_otherwise),
        taken_back=[job_id for job_id, attempt in told.items() if not _succeeded_with(attempt, jobs.get(job_id))],
        foreign=sum(_foreign(effect, jobs) for effect in effects),
    )


def _succeeded_with(attempt: int, job: JobFact | None) -> bool:
    return job is not None and (job.state, job.attempt) == ("succeeded", attempt)


def _foreign(effect: EffectFact, jobs: Mapping[UUID, JobFact]) -> int:
    job = jobs.get(effect.job_id)
    misplaced = job is None or job.tenant_id != effect.tenant_id
    return effect.foreign_rows + misplaced
