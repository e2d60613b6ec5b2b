"""Doing the same to several jobs, whoever's they are: what could be done is done, the rest is told."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

from cli.database import operator_connection
from cli.jobs import find_job
from cli.output import complain
from cli.problem import problem_of
from db.errors import (
    JobOverError,
    PartywallError,
    TenantDeletingError,
    TenantSuspendedError,
    UniqueKeyTakenError,
)
from db.roles import Role
from db.session import TenantSession, tenant_session
from db.tenants import JobOverview, open_tenant

Answer = TypeVar("Answer")

_REFUSALS = (JobOverError, UniqueKeyTakenError, TenantSuspendedError, TenantDeletingError)


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Answer]):
    """What became of each: `done` with what was answered, `refused` with why."""

    done: Sequence[tuple[JobOverview, Answer]]
    refused: Sequence[tuple[JobOverview, PartywallError]]

    def complain(self) -> None:
        """Tell the person at the terminal what was refused, a line each."""
        for job, error in self.refused:
            line = problem_of(error).line
            complain(line if "job" in error.facts else f"job {job.id}: {line}")

    def refused_as_json(self) -> list[dict[str, Any]]:
        """Return what was refused as `[{id, tenant, state, message}]`."""
        return [
            {"id": job.id, "tenant": job.tenant_slug, "state": job.state, "message": problem_of(error).line}
            for job, error in self.refused
        ]


def for_each_job(job_ids: Sequence[UUID], act: Callable[[TenantSession, UUID], Answer]) -> Outcome[Answer]:
    """Act on each job in a transaction of its tenant's, as the operator. An id that is there twice counts once.

    Raises:
        JobNotFoundError: one of them is nobody's. Nothing was done.
    """
    with operator_connection() as connection:
        jobs = [find_job(connection, job_id) for job_id in dict.fromkeys(job_ids)]
        contexts = {slug: open_tenant(connection, slug) for slug in {job.tenant_slug for job in jobs}}
    done: list[tuple[JobOverview, Answer]] = []
    refused: list[tuple[JobOverview, PartywallError]] = []
    for job in jobs:
        try:
            with tenant_session(contexts[job.tenant_slug], role=Role.OPERATOR) as session:
                answer = act(session, job.id)
        except _REFUSALS as error:
            refused.append((job, error))
        else:
            done.append((job, answer))
    return Outcome(done, refused)
