"""When a failed job tries again."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from celery.exceptions import Retry


def delay_before_retry(attempt: int, *, base_seconds: float, cap_seconds: float, jitter: float) -> float:
    """Return the seconds to wait after failed attempt number `attempt` (from 1), at most `cap_seconds`.

    `jitter` is in [0, 1]: the delay is that share of base * 2^(attempt - 1). "Full jitter" of Brooker, AWS
    Architecture Blog, 2015.
    """
    # 2.0 ** 1100 overflows; long before that the cap has decided.
    doubled = base_seconds * 2.0 ** min(attempt - 1, 64)
    return min(cap_seconds, doubled) * jitter


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How many attempts a job of this task has, and how far apart they are."""

    max_attempts: int = 3
    base_seconds: float = 2.0
    cap_seconds: float = 3600.0

    def delay_after(self, attempt: int, error: BaseException) -> float | None:
        """Return the seconds until the next attempt, or None when the error says that none can help.

        An exception class with `retryable = False` says so, and `task.retry(countdown=...)` says when. Whether
        attempts are left, the database decides.
        """
        if isinstance(error, Retry) and error.when is not None:
            return _seconds_until(cast("datetime | float", error.when))
        if not getattr(error, "retryable", True):
            return None
        return delay_before_retry(
            attempt,
            base_seconds=self.base_seconds,
            cap_seconds=self.cap_seconds,
            jitter=random.random(),  # noqa: S311 - spreads load, keeps no secret
        )


def reason_of(error: BaseException) -> BaseException:
    """Return what an attempt failed of: the error that `task.retry(exc=...)` was given, or the error itself."""
    return error.exc if isinstance(error, Retry) and error.exc is not None else error


def _seconds_until(moment: datetime | float) -> float:
    if isinstance(moment, datetime):
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0.0, (aware - datetime.now(UTC)).total_seconds())
    return max(0.0, float(moment))
