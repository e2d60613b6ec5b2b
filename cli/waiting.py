"""Waiting for jobs: asking again and again, with a deadline."""

import time
from collections.abc import Callable, Sequence
from uuid import UUID

from rich.status import Status

from cli.output import err
from db.jobs import JobState
from db.tenants import JobOverview

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 1.0


def wait_for_jobs(
    job_ids: Sequence[UUID], *, ask: Callable[[UUID], JobOverview], timeout_seconds: float
) -> list[JobOverview]:
    """Return the jobs in the order of their ids, once all are over or the time is.

    Each is asked for at least once. A job that is over is not asked for again.
    """
    deadline = time.monotonic() + timeout_seconds
    pause = FIRST_PAUSE_SECONDS
    with Status("", console=err) as status:
        jobs = {job_id: ask(job_id) for job_id in job_ids}
        while waiting := [job_id for job_id, job in jobs.items() if not JobState(job.state).is_terminal]:
            left = deadline - time.monotonic()
            if left <= 0:
                break
            status.update(f"waiting for {len(waiting)} of {len(jobs)}")
            time.sleep(min(pause, left))
            pause = min(pause * 1.5, LONGEST_PAUSE_SECONDS)
            jobs |= {job_id: ask(job_id) for job_id in waiting}
    return list(jobs.values())
