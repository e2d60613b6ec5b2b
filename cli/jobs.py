"""`partywall jobs`: what waits, runs and has ended, of every tenant."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

import typer
from sqlalchemy import Connection

from cli import job_sheet
from cli.database import operator_connection
from cli.exit_codes import ExitCode
from cli.group import Group
from cli.output import Json, note, print_json, print_table
from cli.waiting import wait_for_jobs
from db import tenants
from db.errors import JobNotFoundError, TenantUnknownError
from db.jobs import JobState, get_job, list_attempts
from db.roles import Role
from db.session import tenant_session
from db.tenants import JobOverview, Tenant, jobs_overview, open_tenant

app = typer.Typer(cls=Group, no_args_is_help=True, help="List, show, cancel, retry and wait for jobs.")

_OVERVIEW = ("queue", "state", "attempt", "max_attempts", "run_at", "created_at", "started_at", "finished_at")


@app.command("list")
def list_(
    tenant: Annotated[str | None, typer.Option(metavar="SLUG", help="Only of this tenant.", show_default=False)] = None,
    state: Annotated[
        JobState | None,
        typer.Option(metavar="STATE", help=f"Only in this state: {', '.join(JobState)}.", show_default=False),
    ] = None,
    task: Annotated[str | None, typer.Option(metavar="NAME", help="Only of this task.", show_default=False)] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 20,
    as_json: Json = False,
) -> None:
    """List jobs of all tenants, newest first.

    Example: partywall jobs list --tenant acme --state failed
    """
    with operator_connection() as connection:
        found = jobs_overview(connection, state=state, task_name=task, slug=tenant, limit=limit + 1)
        if tenant is not None and not found:
            find_tenant(connection, tenant)
    jobs, is_cut = found[:limit], len(found) > limit
    if as_json:
        print_json({"jobs": [as_json_object(job) for job in jobs], "more": is_cut})
        return
    print_jobs(jobs, empty="There is no such job.")
    if is_cut:
        note(f"There are more than these {limit}. Raise --limit to see them.")


LATEST_ATTEMPTS = 50


@app.command()
def show(
    job_id: Annotated[UUID, typer.Argument(metavar="ID", help="The job's id.", show_default=False)],
    as_json: Json = False,
) -> None:
    """Show one job: its state, latest attempts, payload, progress, result or error.

    Example: partywall jobs show 0199c5d2-7f10-7c3e-9a4b-2f6d8e1a0b37
    """
    with operator_connection() as connection:
        job = find_job(connection, job_id)
        context = open_tenant(connection, job.tenant_slug)
    with tenant_session(context, role=Role.OPERATOR) as session:
        row = get_job(session, job_id)
        # Numbered without gaps; an attempt's error may be long, and the latest are what one looks for.
        ended = list_attempts(session, job_id, after=row.attempt - LATEST_ATTEMPTS, limit=LATEST_ATTEMPTS)
        session.expunge_all()
    if as_json:
        print_json(as_json_object(job) | job_sheet.as_json_object(row, ended))
    else:
        job_sheet.print_sheet(job, row, ended)


@app.command()
def wait(
    job_ids: Annotated[list[UUID], typer.Argument(metavar="ID", help="The jobs' ids.", show_default=False)],
    timeout: Annotated[float, typer.Option(min=0, metavar="SECONDS", help="How long at most.")] = 300,
    as_json: Json = False,
) -> None:
    """Wait until jobs are over. Exit code 0: all succeeded; 1: one did not; 124: not over in time.

    Example: partywall jobs wait "$(partywall enqueue acme reports.monthly_statement)" --timeout 60
    """
    ids = list(dict.fromkeys(job_ids))
    with operator_connection() as connection:
        jobs = wait_for_jobs(ids, ask=lambda job_id: find_job(connection, job_id), timeout_seconds=timeout)
    states = {JobState(job.state) for job in jobs}
    is_over = all(state.is_terminal for state in states)
    if as_json:
        print_json({"jobs": [as_json_object(job) for job in jobs], "timed_out": not is_over})
    else:
        print_jobs(jobs, empty="")
    if not is_over:
        waiting = sum(not JobState(job.state).is_terminal for job in jobs)
        note(f"{waiting} of {len(jobs)} not over after {timeout:g} s.")
        raise typer.Exit(ExitCode.TIMED_OUT)
    if states != {JobState.SUCCEEDED}:
        raise typer.Exit(ExitCode.FAILED)


def find_job(connection: Connection, job_id: UUID) -> JobOverview:
    """Return the job, whoever's it is.

    Raises:
        JobNotFoundError: no tenant has a job with this id.
    """
    found = jobs_overview(connection, job_id=job_id, limit=1)
    if not found:
        raise JobNotFoundError(
            "no job has this id",
            job=job_id,
            hint="Finished jobs are pruned; partywall jobs list shows those there are.",
        )
    return found[0]


def find_tenant(connection: Connection, slug: str) -> Tenant:
    """Return the tenant.

    Raises:
        TenantUnknownError: no tenant has that slug.
    """
    for tenant in tenants.list_tenants(connection):
        if tenant.slug == slug:
            return tenant
    raise TenantUnknownError(slug=slug, hint="partywall tenants list shows those there are.")


def print_jobs(jobs: Sequence[JobOverview], *, empty: str) -> None:
    """Print a line for each job, or on stderr what it means that there is none."""
    print_table(
        ("id", "tenant", "task", "state", "tried", "created"),
        [
            (job.id, job.tenant_slug, job.task_name, job.state, f"{job.attempt}/{job.max_attempts}", job.created_at)
            for job in jobs
        ],
        empty=empty,
    )


def as_json_object(job: JobOverview) -> dict[str, Any]:
    """Return the *job* of docs/reference/cli.md."""
    named = {"id": job.id, "tenant": job.tenant_slug, "task": job.task_name}
    return named | {name: getattr(job, name) for name in _OVERVIEW}
