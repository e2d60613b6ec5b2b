"""Which queue a task's messages go to."""

from typing import Any

from tasks import registry


def route(name: str, args: Any, kwargs: Any, options: Any, task: Any = None, **_: Any) -> dict[str, str] | None:
    """Return the queue that the task was declared with. Celery calls it for every message that names none itself."""
    declaration = registry.declared().get(name)
    return {"queue": declaration.queue} if declaration is not None else None
