"""Beat's scheduler: Celery's own, which also tells each entry the moment it is for."""

from datetime import UTC, datetime, timedelta
from typing import Any

from celery.beat import PersistentScheduler, ScheduleEntry
from celery.schedules import crontab, schedule


class MomentScheduler(PersistentScheduler):
    """Sends `moment` along with every fan-out: the time it was due, not the time it was sent.

    Two beats by accident, or one that restarted, name the same moment for the same tick, and the database accepts one
    job per tenant, schedule and moment.
    """

    def apply_async(self, entry: ScheduleEntry, producer: Any = None, advance: bool = True, **kwargs: Any) -> Any:
        """Send the entry's task."""
        if "schedule" in (entry.kwargs or {}):
            entry.kwargs = {**(entry.kwargs or {}), "moment": moment_of(entry.schedule).isoformat()}
        return super().apply_async(entry, producer=producer, advance=advance, **kwargs)


def moment_of(clock: Any) -> datetime:
    """Return the time an entry that is due now was due at, in UTC: what a second beat would say too.

    Raises:
        TypeError: the schedule is of another kind than crontab() or schedule().
    """
    now = datetime.now(UTC)
    if isinstance(clock, crontab):
        return _latest_match(clock, now)
    if isinstance(clock, schedule):
        step = vars(clock)["run_every"].total_seconds()
        return datetime.fromtimestamp(now.timestamp() // step * step, UTC)
    raise TypeError(f"{type(clock).__name__} names no moment; use crontab() or schedule()")


def _latest_match(clock: Any, now: datetime) -> datetime:
    # Celery has moved last_run_at to now before it sends; the latest minute that matches is what was due.
    minute = now.replace(second=0, microsecond=0)
    for _ in range(366 * 24 * 60):
        if (
            minute.minute in clock.minute
            and minute.hour in clock.hour
            and minute.isoweekday() % 7 in clock.day_of_week
            and minute.day in clock.day_of_month
            and minute.month in clock.month_of_year
        ):
            return minute
        minute -= timedelta(minutes=1)
    raise ValueError("no minute of the last year matches the schedule")
