"""The same body behind the wall."""

import time
from datetime import UTC, datetime
from typing import Final

from pydantic import BaseModel
from sqlalchemy import text

from tasks import Job, task

SPREAD: Final = {f"bench.mark_{number}": f"bench-{number}" for number in range(20)}
"""By name, the queues of the tasks that `bench.load.spread_tasks` declares besides."""

_WRITE = text("insert into app.bench_marks (tenant_id, number, started_at) values (:tenant, :number, :started_at)")


class Work(BaseModel):
    """The number of the row, and how long the body works besides."""

    number: int
    milliseconds: int = 0


def write_mark(job: Job, work: Work) -> None:
    """Write the row that a job is about."""
    started_at = datetime.now(UTC)
    job.connection.execute(_WRITE, {"tenant": job.tenant.id, "number": work.number, "started_at": started_at})
    if work.milliseconds:
        time.sleep(work.milliseconds / 1000)


mark = task("bench.mark")(write_mark)
