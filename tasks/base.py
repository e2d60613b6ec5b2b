"""The Celery base classes: the one seam between Celery and a tenant's context."""

import os
from collections.abc import Mapping
from functools import partial
from typing import Any, NoReturn

from celery import Task, current_app
from celery.exceptions import Reject, Retry
from kombu.exceptions import OperationalError
from sqlalchemy.exc import DBAPIError

from db.errors import NoTenantError, PartywallError
from tasks.application import TenantCelery
from tasks.async_job import AsyncJob
from tasks.calling import CallHeldError, run_call
from tasks.declaration import TaskDeclaration
from tasks.errors import MessageInvalidError, NotInAJobError
from tasks.event_loop import refuse_on_loop
from tasks.execution import run_message
from tasks.headers import token_of
from tasks.holding import require_short_retry
from tasks.job import Job
from tasks.message import JobMessage
from tasks.message_on_loop import carrying, message_on_loop
from tasks.reception import STRATEGY
from tasks.rejection import rejected
from tasks.signatures import plain, plain_message
from tasks.stamping import ITEMS_HINT, stamp


def _takes_anything(*_: Any, **__: Any) -> None:
    """Stand in for the body's signature, which Celery would compare a call's arguments with."""


class TenantTask(Task[Any, Any]):
    """A task whose body runs in exactly one tenant's context: its job's, or that of whoever called it.

    Called as a function (`write_note(job, note)`) it is just its body, which is what a unit test wants.
    """

    Strategy = STRATEGY
    declaration: TaskDeclaration
    # Celery logs them as one line: what there is to say was logged already, or stands in the job's row.
    throws = (PartywallError,)
    # A result is the tenant's: Flower and the log show none of it.
    resultrepr_maxsize = -1
    # A partial, so that Celery sends an errback as a message of its own and never calls it inside the failed task.
    __header__ = staticmethod(partial(_takes_anything))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the jobs that the message names, or the call that it is."""
        if self.request.called_directly or (args and isinstance(args[0], (Job, AsyncJob))):
            return self._as_function(args, kwargs)
        with carrying(self):
            return self._as_message(args, kwargs)

    @property
    def request(self) -> Any:
        """The message that the body runs for, also on the event loop."""
        message = message_on_loop()
        return super().request if message is None or message.task.name != self.name else message.request

    def _as_message(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        token = token_of(self.request.headers)
        if token is not None:
            return self._as_call(token, args, kwargs)
        try:
            message = JobMessage.parse(args, kwargs)
        except MessageInvalidError as error:
            raise rejected("message_refused", error, task=self.name) from None
        worker = f"{self.request.hostname}/{os.getpid()}"
        run_message(self.declaration, self.run, message, worker=worker)
        # Whatever a body returned is in its job's row; Celery would show it in Flower.
        return None

    def apply_async(self, args: Any = None, kwargs: Any = None, *rest: Any, **options: Any) -> Any:
        """Publish a call, as the tenant whose context this is.

        Raises:
            NoTenantError: this thread is in no tenant's context.
        """
        if not isinstance(self.app, TenantCelery):
            raise NoTenantError(task=self.name, hint="Import the application first: from workers import app.")
        return super().apply_async(args, kwargs, *rest, **options)

    def apply(  # type: ignore[override]
        self, args: Any = None, kwargs: Any = None, **options: Any
    ) -> Any:
        """Run a call in this process, in a transaction of its own, as the tenant whose context this is.

        Raises:
            NoTenantError: this thread is in no tenant's context.
        """
        refuse_on_loop()
        options |= {each: plain(options[each]) for each in ("link", "link_error") if options.get(each) is not None}
        message = plain_message(self.name, plain(list(args or ())), plain(dict(kwargs or {})), options)
        return super().apply(message["args"], message["kwargs"], **stamp(message))

    def retry(  # type: ignore[override]
        self, args: Any = None, kwargs: Any = None, **options: Any
    ) -> Any:
        """Try again: Celery's own way for a call; for a job, its next attempt, whose record is in PostgreSQL.

        Raises:
            CallTooLongError: a call that is to wait for longer than its broker waits for it.
        """
        if token_of(self.request.headers) is None and not self.request.called_directly:
            raise Retry(exc=options.get("exc"), when=options.get("eta") or options.get("countdown"))
        if not self.request.called_directly:
            require_short_retry(self, options)
        if args is not None or kwargs is not None:
            # There is one payload: a new one takes the place of all that was given before.
            args, kwargs = args or (), kwargs or {}
        return super().retry(args, kwargs, **options)

    def replace(self, sig: Any) -> Any:
        """Replace this call by another canvas.

        Raises:
            NotInAJobError: a job is what it was accepted as.
        """
        if token_of(self.request.headers) is None:
            raise NotInAJobError(task=self.name, hint="Enqueue what is to follow: job.enqueue(), in its transaction.")
        return super().replace(sig)

    def _as_function(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        if current_app.current_worker_task is not None and not (args and isinstance(args[0], (Job, AsyncJob))):
            # celery.map and its like call the function for each item; what it would be given is no job.
            raise NoTenantError(task=self.name, hint=ITEMS_HINT)
        return self.run(*args, **kwargs)

    def _as_call(self, token: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        request = self.request
        try:
            return run_call(
                self.declaration,
                self.run,
                token=token,
                call_id=str(request.id),
                number=(request.retries or 0) + 1,
                arguments=(args, kwargs),
            )
        except CallHeldError as held:
            self._send_again(held)

    def _send_again(self, held: CallHeldError) -> NoReturn:
        if self.request.is_eager:
            raise held.reason
        again = self.signature_from_request(countdown=held.seconds, retries=self.request.retries)
        try:
            with held.publishing():
                again.apply_async()
        except (OperationalError, DBAPIError) as away:
            # Neither lost nor sent: the broker keeps the message it has.
            raise Reject(type(away).__name__, requeue=True) from None
        pause: Any = held.seconds
        raise Retry(f"held for {pause:g} s", exc=held.reason, when=pause, sig=again) from None


class PlatformTask(Task[Any, Any]):
    """A task declared `tenantless=True`: it opens no context and can reach no tenant's row."""

    Strategy = STRATEGY
    declaration: TaskDeclaration
