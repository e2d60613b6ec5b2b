"""The Celery application class: nothing it publishes for a tenant leaves without that tenant's token."""

from collections.abc import Mapping, Sequence
from typing import Any

from celery import Celery
from celery.result import AsyncResult

from tasks.message import JobMessage
from tasks.message_on_loop import message_on_loop
from tasks.signatures import LEADING_ON, plain, plain_message, signatures_in
from tasks.stamping import stamp
from tasks.urgency import IN_TURN


class TenantCelery(Celery):
    """Every way of publishing ends here: `.delay()`, `.apply_async()`, a retry, a name, each step of a canvas."""

    task_cls = "tasks.plain:PlainTask"

    def send_task(  # type: ignore[override]
        self, name: str, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any
    ) -> "AsyncResult[Any]":
        """Publish a call of the task.

        Raises:
            NoTenantError: it is a tenant's task, or leads to one, and this thread is in no tenant's context.
        """
        followers = {option: options[option] for option in LEADING_ON if options.get(option) is not None}
        given = {"args": list(args or ()), "kwargs": dict(kwargs or {}), "followers": followers}
        sent = plain(given)
        message = plain_message(name, sent["args"], sent["kwargs"], options | sent["followers"])
        stamped = stamp(message, list(signatures_in(given, sent)))
        # Whatever was asked for: who publishes calls overtakes nobody, and Celery asks for None, which is 0 on Redis.
        stamped["priority"] = IN_TURN
        return super().send_task(name, sent["args"], sent["kwargs"], **stamped)

    @property
    def current_worker_task(self) -> Any:
        """The task whose body asks, also on the event loop: what it publishes names it as parent."""
        message = message_on_loop()
        return super().current_worker_task if message is None else message.task

    def send_job_message(
        self, task_name: str, message: JobMessage, *, tenant_slug: str, **options: Any
    ) -> "AsyncResult[Any]":
        """Tell the workers of dispatched jobs. What lets them in is the nonce."""
        return super().send_task(
            task_name,
            kwargs=message.kwargs(),
            argsrepr="()",
            kwargsrepr=message.shown_as(tenant_slug),
            ignore_result=True,
            **options,
        )
