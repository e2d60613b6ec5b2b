"""When a failed job tries again, and what a body raises to say so itself."""

import math
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast

from celery.exceptions import Retry

from db.errors import is_conflict, is_shortage

CONFLICT_BASE_SECONDS = 0.1
"""Who lost a deadlock waits for the other's commit and for no backoff: 0.1 s at most, doubled with each attempt."""


def delay_before_retry(attempt: int, *, base_seconds: float, cap_seconds: float, jitter: float) -> float:
    """Return the seconds to wait after failed attempt number `attempt` (from 1), at most `cap_seconds`.

    `jitter` is in [0, 1]: the delay is that share of base * 2^(attempt - 1). "Full jitter" of Brooker, AWS
    Architecture Blog, 2015.
    """
    # 2.0 ** 1100 overflows; long before that the cap has decided.
    doubled = base_seconds * 2.0 ** min(attempt - 1, 64)
    return min(cap_seconds, doubled) * jitter


class RetryLater(Exception):  # noqa: N818 - said by a body, as a request and not as a complaint
    """Raised by a body: roll back and try again in `seconds`, if an attempt is left."""

    def __init__(self, seconds: float, reason: str = "asked to be tried later") -> None:
        super().__init__(reason)
        self.seconds = seconds


class Cancel(Exception):  # noqa: N818 - said by a body, as a request and not as a complaint
    """Raised by a body: roll back; the job is cancelled, and why is kept with it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How many attempts a job of this task has, how far apart they are, and which errors another one may mend."""

    max_attempts: int = 3
    base_seconds: float = 2.0
    cap_seconds: float = 3600.0
    retry_on: tuple[type[BaseException], ...] = ()
    """Only these are worth another attempt; empty means all."""
    give_up_on: tuple[type[BaseException], ...] = ()
    """These are not, also where `retry_on` has them."""
    max_lost: int = 3
    """So many attempts that lose their worker are too many, whatever is left of `max_attempts`."""

    def delay_after(self, attempt: int, error: BaseException) -> float | None:
        """Return the seconds until the next attempt, or None when the error says that none can help.

        `RetryLater(seconds)` and `task.retry(countdown=...)` say when. An error with `retry_after`, in seconds, as a
        server that is asked too often answers, says not before when. `give_up_on`, `retry_on` and an exception class
        with `retryable = False` say never; but what PostgreSQL took back for another transaction's sake is tried again
        soon, and what failed of PostgreSQL's own trouble as ever, also where `retry_on` does not have it. Whether
        attempts are left, the database decides.
        """
        if isinstance(error, RetryLater):
            return max(0.0, error.seconds)
        if isinstance(error, Retry) and error.when is not None:
            return _seconds_until(cast("datetime | float", error.when))
        if not self._may_mend(reason_of(error)):
            return None
        usual = delay_before_retry(
            attempt,
            base_seconds=CONFLICT_BASE_SECONDS if is_conflict(reason_of(error)) else self.base_seconds,
            cap_seconds=self.cap_seconds,
            jitter=random.random(),  # noqa: S311 - spreads load, keeps no secret
        )
        return max(usual, _hint(error))

    def _may_mend(self, error: BaseException) -> bool:
        if isinstance(error, (Cancel, *self.give_up_on)) or not getattr(error, "retryable", True):
            return False
        return not self.retry_on or isinstance(error, self.retry_on) or is_conflict(error) or is_shortage(error)


def _hint(error: BaseException) -> float:
    hint = getattr(error, "retry_after", None)
    if isinstance(hint, timedelta):
        return hint.total_seconds()
    return float(hint) if isinstance(hint, (int, float)) and math.isfinite(hint) else 0.0


def reason_of(error: BaseException) -> BaseException:
    """Return what an attempt failed of: the error that `task.retry(exc=...)` was given, or the error itself."""
    return error.exc if isinstance(error, Retry) and error.exc is not None else error


def _seconds_until(moment: datetime | float) -> float:
    if isinstance(moment, datetime):
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0.0, (aware - datetime.now(UTC)).total_seconds())
    return max(0.0, float(moment))
