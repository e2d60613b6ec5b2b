"""The application with a schedule that names a tenant's task, as nobody should write it."""

from workers import app

__all__ = ["app"]

app.conf.beat_schedule = {
    "careless": {"task": "edges.step", "kwargs": {"word": "by the clock"}, "schedule": 0.2},
}
