"""The Celery application class: nothing it publishes for a tenant leaves without that tenant's token."""

from collections.abc import Mapping, Sequence
from typing import Any

from celery import Celery
from celery.canvas import Signature
from celery.result import AsyncResult

from tasks.message import JobMessage
from tasks.signatures import is_celerys_own, plain
from tasks.stamping import stamp

_MAY_NEST = ("link", "link_error", "chord", "chain")


class TenantCelery(Celery):
    """Every way of publishing ends here: `.delay()`, `.apply_async()`, a retry, a name, each step of a canvas."""

    def send_task(  # type: ignore[override]
        self, name: str, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any
    ) -> "AsyncResult[Any]":
        """Publish a call of the task.

        Raises:
            NoTenantError: it is a tenant's task, or leads to one, and this thread is in no tenant's context.
        """
        sent = {"args": plain(list(args or ())), "kwargs": plain(dict(kwargs or {}))}
        options |= {each: plain(options[each]) for each in _MAY_NEST if options.get(each) is not None}
        stamp(name, options, _signatures_among(name, args, kwargs, sent))
        return super().send_task(name, sent["args"], sent["kwargs"], **options)

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


def _signatures_among(
    name: str, args: Sequence[Any] | None, kwargs: Mapping[str, Any] | None, sent: Mapping[str, Any]
) -> list[Any]:
    """Return the arguments that are signatures, as they are sent. Data that only looks like one stays data."""
    by_position = zip(args or (), sent["args"], strict=True)
    by_name = ((value, sent["kwargs"][key]) for key, value in (kwargs or {}).items())
    own = is_celerys_own(name)
    return [copy for value, copy in (*by_position, *by_name) if own or isinstance(value, Signature)]
