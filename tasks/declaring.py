"""The decorator that makes a function a task."""

from collections.abc import Callable, Sequence
from typing import Any

from celery import shared_task

from db.errors import PartywallError
from tasks import registry
from tasks.base import PlatformTask, TenantTask
from tasks.body_kind import check_kind
from tasks.declaration import HARD_LIMIT_GRACE_SECONDS, Body, TaskDeclaration
from tasks.retrying import RetryPolicy
from tasks.settings import TaskSettings


def task(
    name: str,
    *,
    queue: str | None = None,
    max_attempts: int = 3,
    time_limit_seconds: float = 300.0,
    retry_base_seconds: float = 2.0,
    retry_cap_seconds: float = 3600.0,
    retry_on: Sequence[type[BaseException]] = (),
    give_up_on: Sequence[type[BaseException]] = (),
    max_lost: int = 3,
    tenantless: bool = False,
    runs_for_deleted: bool = False,
    examples: Sequence[Any] = (),
    **celery_options: Any,
) -> Callable[[Body], Any]:
    """Declare a task: Celery's `shared_task` with a tenant's context around the body.

    The body is `(job: Job, payload: Model) -> Result`, with pydantic models; a payload that does not fit is refused
    when it is enqueued. An `async def` body takes an AsyncJob and runs on the process's event loop. Every Celery option
    still works. A `tenantless` task takes what arguments it likes, is started by beat, and sees no tenant's row.

    `retry_on`: the errors that another attempt may mend, all if empty; `give_up_on`: those that none can. A body says
    so itself with `RetryLater(seconds)` and `Cancel(reason)`. A job fails once `max_lost` of its attempts lost their
    worker, so that what kills every process it meets does not meet the next one.

    `runs_for_deleted`: also while its tenant is being deleted, as what empties its tables has to.

    `examples`: payloads to show and to prove the task with, or functions that make one: see `tasks/examples.py`.

    `time_limit_seconds`: then SoftTimeLimitExceeded is raised in the body, and ten seconds later its process is killed.

    Raises:
        TaskDeclarationError: the body has another form, or another module has a task of this name.
    """

    def declare(body: Body) -> Any:
        check_kind(body, name, tenantless=tenantless, autoretry="autoretry_for" in celery_options)
        declaration = TaskDeclaration.of(
            body,
            name=name,
            queue=queue or _usual_queue(tenantless=tenantless),
            retry=RetryPolicy(
                max_attempts=max_attempts,
                base_seconds=retry_base_seconds,
                cap_seconds=retry_cap_seconds,
                retry_on=tuple(retry_on),
                give_up_on=tuple(give_up_on),
                max_lost=max_lost,
            ),
            time_limit_seconds=time_limit_seconds,
            tenantless=tenantless,
            runs_for_deleted=runs_for_deleted,
            bound=bool(celery_options.get("bind")),
            examples=examples,
        )
        registry.declare(declaration, module=body.__module__)
        options: dict[str, Any] = {
            "name": name,
            "base": PlatformTask if tenantless else TenantTask,
            "declaration": declaration,
            "soft_time_limit": time_limit_seconds,
            "time_limit": time_limit_seconds + HARD_LIMIT_GRACE_SECONDS,
        }
        if tenantless:
            # No job row keeps these: Celery's own retry is all there is, and twice is once for what they do.
            options |= {
                "autoretry_for": (Exception,),
                "dont_autoretry_for": (PartywallError,),
                "max_retries": max_attempts - 1,
                "retry_backoff": retry_base_seconds,
            }
        else:
            # Of calls; a job's attempts are counted by the database.
            options |= {"max_retries": max_attempts - 1, "default_retry_delay": retry_base_seconds}
            # Celery would put the body's own in its place.
            options["__header__"] = staticmethod(TenantTask.__header__)
        return shared_task(**(options | celery_options))(body)

    return declare


def _usual_queue(*, tenantless: bool) -> str:
    return registry.PLATFORM_QUEUE if tenantless else TaskSettings.load().queue_names[0]
