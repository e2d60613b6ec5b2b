"""All that is known of one job, for `partywall jobs show`."""

from collections.abc import Sequence
from typing import Any

from cli.output import print_fields, print_table, say, span
from db.jobs import AttemptRow, JobRow, JobState
from db.tenants import JobOverview

_INSIDE = (
    "worker",
    "worker_id",
    "lease_expires_at",
    "expires_at",
    "priority",
    "idempotency_key",
    "unique_key",
    "handed_back",
    "lost",
    "max_lost",
    "cancelled_by",
    "cancel_reason",
    "payload",
    "result",
    "error",
    "checkpoint",
)
_HEADLINE_LENGTH = 200
_OF_ATTEMPT = ("attempt", "outcome", "worker", "worker_id", "started_at", "ended_at", "error")


def as_json_object(row: JobRow, ended: Sequence[AttemptRow]) -> dict[str, Any]:
    """Return what `--json` tells of a job besides what every list has."""
    progress = {"current": row.progress_current, "total": row.progress_total, "note": row.progress_note}
    return {name: getattr(row, name) for name in _INSIDE} | {
        "progress": None if row.progress_current is None else progress,
        "attempts": [{name: getattr(each, name) for name in _OF_ATTEMPT} for each in ended],
    }


def print_sheet(job: JobOverview, row: JobRow, ended: Sequence[AttemptRow]) -> None:
    """Print the job and, below, its attempts that have ended."""
    print_fields(_fields(job, row))
    if ended:
        say("")
        print_table(
            ("attempt", "outcome", "ended", "took", "worker", "error"),
            [
                (
                    each.attempt,
                    each.outcome,
                    each.ended_at,
                    span((each.ended_at - each.started_at).total_seconds()),
                    each.worker,
                    _headline(each.error),
                )
                for each in ended
            ],
            empty="",
        )


def _fields(job: JobOverview, row: JobRow) -> dict[str, object]:
    """Return what a person wants to know, in the order of a job's life; what has not happened is left out."""
    is_waiting = job.state in (JobState.SCHEDULED, JobState.QUEUED)
    fields: dict[str, object] = {
        "id": job.id,
        "tenant": job.tenant_slug,
        "task": job.task_name,
        "queue": job.queue,
        "priority": row.priority or None,
        "state": job.state,
        "cancelled by": row.cancelled_by,
        "because": row.cancel_reason or None,
        "tried": f"{job.attempt - row.handed_back} of at most {job.max_attempts}",
        "handed back": row.handed_back or None,
        "lost": f"{row.lost}; {row.max_lost} are too many" if row.lost else None,
        "unique key": row.unique_key,
        "idempotency key": row.idempotency_key,
        "created": job.created_at,
        "not before": job.run_at if is_waiting else None,
        "expires": row.expires_at,
        "started": job.started_at,
        "worker": row.worker,
        "lease until": row.lease_expires_at,
        "finished": job.finished_at,
        "took": _took(job),
        "progress": _progress(row),
        "payload": row.payload,
        "checkpoint": row.checkpoint,
        "result": row.result,
        "error": _error(row.error),
    }
    return {name: value for name, value in fields.items() if value is not None}


def _took(job: JobOverview) -> str | None:
    if job.started_at is None or job.finished_at is None:
        return None
    return span((job.finished_at - job.started_at).total_seconds())


def _progress(row: JobRow) -> str | None:
    if row.progress_current is None:
        return None
    total = "" if row.progress_total is None else f" of {row.progress_total}"
    return f"{row.progress_current}{total}" + (f", {row.progress_note}" if row.progress_note else "")


def _error(error: dict[str, Any] | None) -> str | None:
    # A traceback is for reading, not for counting its \n.
    if error is None:
        return None
    headline = f"{error.get('type', 'Error')}: {error.get('message', '')}"
    return "\n".join([headline, str(error.get("traceback", ""))]).rstrip()


def _headline(error: dict[str, Any] | None) -> str | None:
    if error is None:
        return None
    first_line = f"{error.get('type', 'Error')}: {error.get('message', '')}".splitlines()[0]
    return first_line[:_HEADLINE_LENGTH]
