"""Long-running agents, one per file, and the Celery app: `celery -A workers worker`, `celery -A workers beat`."""

from workers.application import app

__all__ = ["app"]
