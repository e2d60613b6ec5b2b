"""`partywall jobs retry`: let jobs that have ended without success try once more."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import typer

from cli.database import operator_connection
from cli.each_job import for_each_job
from cli.errors import BadInputError
from cli.exit_codes import ExitCode
from cli.jobs import find_tenant
from cli.moments import span_seconds
from cli.output import Json, note, print_json, print_table
from db.errors import TenantDeletingError, TenantDrainingError, TenantSuspendedError
from db.jobs import JobState
from db.limits import tenant_limits
from db.steering import RetriedJob, retry_job, retry_jobs


class Ended(StrEnum):
    """The states that a job can be retried from: those of `db.steering.RETRYABLE`."""

    FAILED = JobState.FAILED.value
    CANCELLED = JobState.CANCELLED.value
    EXPIRED = JobState.EXPIRED.value


def retry(
    job_ids: Annotated[
        list[UUID] | None, typer.Argument(metavar="ID", help="The jobs' ids.", show_default=False)
    ] = None,
    state: Annotated[
        Ended | None,
        typer.Option(metavar="STATE", help=f"Instead of ids, all that are {', '.join(Ended)}.", show_default=False),
    ] = None,
    task: Annotated[str | None, typer.Option(metavar="NAME", help="Only of this task.", show_default=False)] = None,
    tenant: Annotated[str | None, typer.Option(metavar="SLUG", help="Only of this tenant.", show_default=False)] = None,
    since: Annotated[
        str | None, typer.Option(metavar="SPAN", help="Only what ended in the last 30m, 1h, 2d.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many, the oldest first.")] = 100,
    as_json: Json = False,
) -> None:
    """Let jobs that have failed, have expired or were cancelled try once more: by id, or all of a state.

    Of all of a state, those stay whose tenant may not work or is being drained, whose queue has no room for them, or
    whose unique key has another live job.

    Exit code 0: all asked for wait again; 3: one is unknown, so nothing was done, or one cannot be retried.

    Example: partywall jobs retry --state failed --task orders.import_csv --since 1h
    """
    if job_ids:
        if state is not None or task is not None or tenant is not None or since is not None:
            raise BadInputError("ids and a filter exclude each other", hint="Name the jobs, or say which with --state.")
        _retry_by_id(job_ids, as_json=as_json)
        return
    if state is None:
        raise BadInputError("nothing says which jobs", hint="Name their ids, or say --state failed.")
    seconds = None if since is None else span_seconds(since, option="--since")
    with operator_connection() as connection:
        if tenant is not None:
            _require_active(find_tenant(connection, tenant).status, tenant)
            _require_open(tenant_limits(connection, tenant).flow, tenant)
        jobs = retry_jobs(
            connection, state=JobState(state), task_name=task, slug=tenant, ended_within_seconds=seconds, limit=limit
        )
    is_cut = len(jobs) == limit
    if as_json:
        print_json({"jobs": _as_json(jobs), "refused": [], "more": is_cut})
        return
    _print(jobs, empty="There is no such job.")
    if is_cut:
        note(f"That is --limit {limit}; there may be more. Run it again.")


def _retry_by_id(job_ids: Sequence[UUID], *, as_json: bool) -> None:
    outcome = for_each_job(job_ids, retry_job)
    jobs = [RetriedJob(job.tenant_slug, job.id) for job, _ in outcome.done]
    if as_json:
        print_json({"jobs": _as_json(jobs), "refused": outcome.refused_as_json(), "more": False})
    elif jobs:
        _print(jobs, empty="")
    outcome.complain()
    if outcome.refused:
        raise typer.Exit(ExitCode.REFUSED)


def _require_active(status: str, slug: str) -> None:
    # The database passes over its jobs, and "no such job" would be no answer.
    if status == "suspended":
        raise TenantSuspendedError(slug=slug, hint=f"Let it work again with: partywall tenants resume {slug}")
    if status == "deleting":
        raise TenantDeletingError(slug=slug, hint="There is no way back.")


def _require_open(flow: str, slug: str) -> None:
    if flow == "draining":
        raise TenantDrainingError(slug=slug, hint=f"Open it again with: partywall tenants resume {slug}")


def _print(jobs: Sequence[RetriedJob], *, empty: str) -> None:
    print_table(("id", "tenant"), [(job.job_id, job.tenant_slug) for job in jobs], empty=empty)
    if jobs:
        note(f"{len(jobs)} {'job waits' if len(jobs) == 1 else 'jobs wait'} again.")


def _as_json(jobs: Sequence[RetriedJob]) -> list[dict[str, object]]:
    return [{"id": job.job_id, "tenant": job.tenant_slug} for job in jobs]
