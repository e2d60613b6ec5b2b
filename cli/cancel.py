"""`partywall jobs cancel`: end jobs from outside."""

from typing import Annotated
from uuid import UUID

import typer

from cli.each_job import for_each_job
from cli.errors import BadInputError
from cli.exit_codes import ExitCode
from cli.output import Json, note, print_json, print_table
from db.jobs import JobState
from db.steering import cancel_job

_LONGEST_REASON = 500


def cancel(
    job_ids: Annotated[list[UUID], typer.Argument(metavar="ID", help="The jobs' ids.", show_default=False)],
    reason: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Why, for whoever looks.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Cancel jobs that are not over. What runs is told to stop, and nothing it wrote is kept.

    Exit code 0: all are cancelled; 3: one is unknown, so nothing was done, or one has ended otherwise.

    Example: partywall jobs cancel 0199c5d2-7f10-7c3e-9a4b-2f6d8e1a0b37 --reason "ordered twice"
    """
    if reason is not None and len(reason) > _LONGEST_REASON:
        raise BadInputError(f"--reason has over {_LONGEST_REASON} characters", hint="Choose a shorter one.")
    outcome = for_each_job(job_ids, lambda session, job_id: cancel_job(session, job_id, reason=reason))
    if as_json:
        jobs = [
            {"id": job.id, "tenant": job.tenant_slug, "task": job.task_name, "state_before": before}
            for job, before in outcome.done
        ]
        print_json({"jobs": jobs, "refused": outcome.refused_as_json()})
    elif outcome.done:
        print_table(
            ("id", "tenant", "task", "was"),
            [(job.id, job.tenant_slug, job.task_name, before) for job, before in outcome.done],
            empty="",
        )
        if any(before is JobState.RUNNING for _, before in outcome.done):
            note("What ran is told to stop within seconds.")
    outcome.complain()
    if outcome.refused:
        raise typer.Exit(ExitCode.REFUSED)
