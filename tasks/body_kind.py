"""Whether a body is `def` or `async def`, and that it is given the job of its kind."""

import inspect
from typing import get_type_hints

from tasks.async_job import AsyncJob
from tasks.declaration import Body
from tasks.errors import TaskDeclarationError
from tasks.job import Job


def check_kind(body: Body, name: str, *, tenantless: bool, autoretry: bool = False) -> None:
    """Raise where nothing would await the body, or where it would await what cannot be awaited.

    Raises:
        TaskDeclarationError: an `async def` body takes an AsyncJob, another takes a Job; without a tenant, with a
            `yield` or with `autoretry_for` there is no `async def`.
    """
    if inspect.isasyncgenfunction(body) or inspect.isgeneratorfunction(body):
        raise TaskDeclarationError("a body with a yield never begins", task=name, hint="Return what it yields.")
    is_async = inspect.iscoroutinefunction(body)
    if tenantless and is_async:
        raise TaskDeclarationError(
            "a tenantless task cannot be async def: Celery runs it by its own rules and would await nothing",
            task=name,
            hint="Write it as def; it may call asyncio.run() itself.",
        )
    if is_async and autoretry:
        raise TaskDeclarationError(
            "autoretry_for sees what a body raises when it is called, and an async def body raises when it is awaited",
            task=name,
            hint="Jobs are tried max_attempts times by themselves; in a call, raise self.retry(exc=error).",
        )
    given = [hint for hint in get_type_hints(body).values() if hint in (Job, AsyncJob)]
    if not tenantless and (Job if is_async else AsyncJob) in given:
        raise TaskDeclarationError(
            "an async def body takes an AsyncJob" if is_async else "a body that is not async takes a Job",
            task=name,
            hint="Write: async def body(job: AsyncJob, payload: Model) -> Result; or def, with job: Job.",
        )
