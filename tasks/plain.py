"""The base of what `@shared_task` makes here: tasks that enter no tenant, and may be given a tenant's data."""

from typing import Any

import structlog
from celery import Task
from celery.exceptions import Retry, TaskPredicate

from db.errors import NoTenantError, PartywallError
from tasks.discretion import failure_of, kind_of, place_of, retry_without_text
from tasks.headers import tenant_of
from tasks.holding import require_short_retry
from tasks.reception import STRATEGY

log = structlog.get_logger(__name__)


class PlainTask(Task[Any, Any]):
    """A task without a tenant, as a step of a tenant's canvas too. Celery's own tasks are of this kind."""

    Strategy = STRATEGY
    # What it returns may be what a tenant's task returned before.
    resultrepr_maxsize = -1
    throws = (PartywallError,)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the body. In a tenant's canvas its errors keep to themselves what they say."""
        request = self.request
        if request.called_directly:
            return super().__call__(*args, **kwargs)
        tenant = tenant_of(request.headers)
        if tenant is None:
            return self.run(*args, **kwargs)
        about: dict[str, Any] = {"task": self.name, "call": request.id}
        try:
            return self.run(*args, **kwargs)
        except Retry as retry:
            raise retry_without_text(retry, **about) from None
        except (TaskPredicate, NoTenantError):
            raise
        except Exception as error:  # noqa: BLE001 - the edge: its text may quote the tenant's data
            log.warning("task_failed", tenant=tenant, error=kind_of(error), where=place_of(error), **about)
            raise failure_of(error, **about) from None

    def retry(self, args: Any = None, kwargs: Any = None, *rest: Any, **options: Any) -> Any:
        """Try again, Celery's own way.

        Raises:
            CallTooLongError: in a tenant's canvas, it is to wait for longer than its broker waits for it.
        """
        if tenant_of(self.request.headers) is not None:
            require_short_retry(self, options)
        return super().retry(args, kwargs, *rest, **options)
