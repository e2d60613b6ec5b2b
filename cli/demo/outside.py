"""The wall from outside the database: over HTTP, through the broker, in Flower."""

import ast
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import httpx

from cli.demo.api import Api
from cli.demo.checks import Check
from cli.demo.forgery import forge
from cli.demo.producer import STATEMENT
from cli.demo.tally import TenantTally
from cli.demo.tenants import DemoTenant
from cli.stack.deadline import wait_until
from cli.stack.logs import LogFile

DROPPED_WITHIN_SECONDS = 20.0
SHOWN_WITHIN_SECONDS = 20.0


def anothers_job_is_not_found(api: Api, mine: DemoTenant, other: DemoTenant, job: str) -> Check:
    """Ask for another tenant's job; it exists for its owner."""
    return _hidden(api, "GET another tenant's job", mine, other, f"/v1/jobs/{job}")


def anothers_file_is_not_found(api: Api, mine: DemoTenant, other: DemoTenant, file: str) -> Check:
    """Ask for another tenant's file; it exists for its owner."""
    return _hidden(api, "GET another tenant's file", mine, other, f"/v1/files/{file}")


def _hidden(api: Api, tried: str, mine: DemoTenant, other: DemoTenant, path: str) -> Check:
    owner, stranger = api.status(other.key.spell(), path), api.status(mine.key.spell(), path)
    return Check(tried, (owner, stranger) == (200, 404), f"{stranger} (its owner gets {owner})")


def forged_messages_are_dropped(
    api: Api, broker_url: str, worker_log: Path, *, mine: DemoTenant, other: DemoTenant, finished_job: str
) -> Check:
    """Tell the workers to run another tenant's jobs: one that is over, and one that is not due before tomorrow.

    Each is named under its own tenant and under ours; none may move.
    """
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    owner = other.key.spell()
    log = LogFile(worker_log)  # from here on
    jobs = [finished_job, api.enqueue(owner, STATEMENT, {}, run_at=tomorrow)]
    before = [api.job(owner, job) for job in jobs]
    for job in jobs:
        for tenant in (other, mine):
            forge(broker_url, task=STATEMENT, tenant_id=tenant.id, job_id=UUID(job))

    def drops() -> Sequence[str]:
        lines = log.text().splitlines()
        return [line for line in lines if "message_dropped" in line and any(job in line for job in jobs)]

    wait_until(lambda: len(drops()) >= 2 * len(jobs), timeout_seconds=DROPPED_WITHIN_SECONDS)
    dropped = len(drops())
    unchanged = [api.job(owner, job) for job in jobs] == before
    return Check(
        "forged broker messages",
        dropped >= 2 * len(jobs) and unchanged,
        "dropped by the worker; " + ("another's jobs are as before" if unchanged else "A JOB CHANGED"),
        2 * len(jobs),
        min(dropped, 2 * len(jobs)),
    )


def flower_finds_only_its_tasks(flower_url: str, mine: DemoTenant, tally: TenantTally) -> Check:
    """Search Flower for the tenant's tasks: all of its jobs, and nobody else's."""
    tried = f"Flower, kwargs:tenant={mine.slug}"
    jobs = set(tally.jobs)
    try:
        # It hears of a task a moment after the task has ended.
        wait_until(
            lambda: jobs <= {task["job"] for task in _in_flower(flower_url, mine)},
            timeout_seconds=SHOWN_WITHIN_SECONDS,
            interval_seconds=0.2,
        )
        tasks = _in_flower(flower_url, mine)
    except httpx.HTTPError as error:
        return Check(tried, False, f"Flower did not answer: {str(error) or type(error).__name__}")
    all_own = all(task["tenant"] == mine.slug for task in tasks)
    return Check(
        tried,
        all_own and {task["job"] for task in tasks} == jobs,
        f"{len(tasks)} tasks for {len(jobs)} jobs, " + ("all its own" if all_own else "not all its own"),
    )


def _in_flower(flower_url: str, tenant: DemoTenant) -> list[dict[str, str]]:
    """Return what Flower shows of each task it finds for the tenant: its tenant and its job."""
    answer = httpx.get(
        f"{flower_url}/api/tasks",
        params={"search": f"kwargs:tenant={tenant.slug}"},
        timeout=10,
        trust_env=False,  # no proxy between us and the loopback interface
    )
    return [ast.literal_eval(task["kwargs"]) for task in answer.raise_for_status().json().values()]
