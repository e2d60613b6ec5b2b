"""How long a message is held: by a worker that has not acknowledged it yet, and by one that sends a call again.

Calls are acknowledged when they have run, so that a worker's death loses none. A broker takes a message that is not
acknowledged in time for lost and delivers it again, and a call has no row that would know that it runs already. So a
call may not wait and run for longer than that; a job may, for it waits in PostgreSQL, and a message that comes twice
finds nothing to claim.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from tasks import registry
from tasks.declaration import HARD_LIMIT_GRACE_SECONDS, LEASE_GRACE_SECONDS
from tasks.delays import ENQUEUE_HINT, delay_seconds
from tasks.errors import CallTooLongError
from tasks.settings import TaskSettings

UNACKNOWLEDGED_SECONDS = 1800
"""How long a message may stay unacknowledged: RabbitMQ's `consumer_timeout` where nobody changed it.

For Redis too, whose time we set ourselves (`visibility_timeout` in celeryconfig.py, twice as long): which broker a
canvas will meet on its way, who publishes it need not know.
"""
AWAY_SECONDS = 5.0
"""How long a call rests at the broker while PostgreSQL is away."""


def require_short(task_name: str, *, delay_seconds: float, options: Mapping[str, Any]) -> None:
    """Return when a call that waits so long and then runs to its limit is acknowledged in time.

    Raises:
        CallTooLongError: the broker would deliver it again meanwhile.
    """
    limit = _hard_limit_seconds(task_name, options)
    # However soon it is due: a call whose tenant is suspended is sent again with a delay, and may not be lost then.
    wait = max(delay_seconds, AWAY_SECONDS, _hold_seconds())
    if wait + limit + LEASE_GRACE_SECONDS > UNACKNOWLEDGED_SECONDS:
        raise CallTooLongError(
            task=task_name,
            delay_seconds=round(delay_seconds),
            hard_limit_seconds=round(limit),
            together_at_most_seconds=round(UNACKNOWLEDGED_SECONDS - LEASE_GRACE_SECONDS),
            hint=ENQUEUE_HINT,
        )


def require_short_retry(task: Any, options: Mapping[str, Any]) -> None:
    """Return when a task's call may be tried again with what `retry()` was given.

    Here, because Celery drops a message whose retry cannot be published, and says nothing to the body.

    Raises:
        CallTooLongError: see `require_short()`.
    """
    given = {name: options.get(name) for name in ("eta", "countdown")}
    if all(value is None for value in given.values()):
        given["countdown"] = task.default_retry_delay
    # As Celery has it: a limit that this call was published with goes on to the next.
    hard_limit, _ = task.request.timelimit or (None, None)
    require_short(task.name, delay_seconds=delay_seconds(given), options={"time_limit": hard_limit, **options})


def _hard_limit_seconds(task_name: str, options: Mapping[str, Any]) -> float:
    if options.get("time_limit"):
        return float(options["time_limit"])
    declaration = registry.declared().get(task_name)
    # Of a plain task, or one that is declared elsewhere, only the delay is known.
    return 0.0 if declaration is None else declaration.time_limit_seconds + HARD_LIMIT_GRACE_SECONDS


@cache
def _hold_seconds() -> float:
    return TaskSettings.load().call_hold_seconds
