"""The Celery base classes: the one seam between Celery and a tenant's context."""

import os
from typing import Any, NoReturn

from celery import Task

from db.errors import NoTenantError
from tasks.declaration import TaskDeclaration
from tasks.errors import AttemptFailedError, MessageInvalidError
from tasks.execution import run_message
from tasks.message import JobMessage
from tasks.rejection import rejected


class TenantTask(Task[Any, Any]):
    """A task whose body runs in exactly one tenant's context.

    A worker calls it with a dispatcher's message. Called as a function (`write_note(job, note)`) it is just its body,
    which is what a unit test wants.
    """

    declaration: TaskDeclaration
    # Logged as one line: the traceback is in the job's row.
    throws = (AttemptFailedError,)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the jobs that the message names."""
        if self.request.called_directly:
            return self.run(*args, **kwargs)
        try:
            message = JobMessage.parse(args, kwargs)
        except MessageInvalidError as error:
            raise rejected("message_refused", error, task=self.name) from None
        worker = f"{self.request.hostname}/{os.getpid()}"
        run_message(self.declaration, self.run, message, worker=worker)
        # Whatever a body returned is in its job's row; Celery would show it in Flower.
        return None

    def apply_async(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse: a message without a job has no tenant."""
        raise NoTenantError(
            task=self.name,
            hint="Enqueue it: POST /v1/jobs, job.enqueue() in a task, or tasks.producing.enqueue().",
        )

    def apply(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse, for the same reason."""
        self.apply_async()


class PlatformTask(Task[Any, Any]):
    """A task declared `tenantless=True`: it opens no context and can reach no tenant's row."""

    declaration: TaskDeclaration
