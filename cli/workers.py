"""`partywall workers`: the processes that run bodies, and what each runs now."""

from collections.abc import Sequence
from typing import Any

import typer

from cli.database import operator_connection
from cli.output import Json, print_json, print_table, say
from db.workers import RunningJob, WorkerOverview, workers_overview

_OF_WORKER = ("id", "name", "pid", "pool", "queues", "started_at", "seen_at")


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(workers)


def workers(as_json: Json = False) -> None:
    """List the processes that run jobs, and the jobs they run.

    A process that was killed stays on the list until the reaper takes it off.

    Example: partywall workers
    """
    with operator_connection() as connection:
        found = workers_overview(connection)
    if as_json:
        print_json({"workers": [_as_json_object(worker) for worker in found]})
        return
    print_table(
        ("worker", "pid", "pool", "queues", "seen", "runs"),
        [
            # A worker's processes share its name; theirs end with the pid, which has a column of its own.
            (
                each.name.removesuffix(f"/{each.pid}"),
                each.pid,
                each.pool,
                ", ".join(each.queues),
                each.seen_at,
                len(each.jobs),
            )
            for each in found
        ],
        empty="No worker is up.",
    )
    running = [(worker, job) for worker in found for job in worker.jobs]
    if running:
        say("")
        _print_running(running)


def _print_running(running: Sequence[tuple[WorkerOverview, RunningJob]]) -> None:
    print_table(
        ("id", "tenant", "task", "attempt", "started", "pid"),
        [
            (job.job_id, job.tenant_slug, job.task_name, job.attempt, job.started_at, worker.pid)
            for worker, job in running
        ],
        empty="",
    )


def _as_json_object(worker: WorkerOverview) -> dict[str, Any]:
    jobs = [
        {
            "id": job.job_id,
            "tenant": job.tenant_slug,
            "task": job.task_name,
            "attempt": job.attempt,
            "started_at": job.started_at,
        }
        for job in worker.jobs
    ]
    return {name: getattr(worker, name) for name in _OF_WORKER} | {"jobs": jobs}
