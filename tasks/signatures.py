"""Finding every task that a message will lead to: in chains, groups, chords, links, and inside one another."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from celery.canvas import Signature
from pydantic import BaseModel

_NESTED_IN_OPTIONS = ("link", "link_error", "chord", "chain")


def is_signature(value: Any) -> bool:
    """Return whether a value is a signature, as an object or as JSON spells it."""
    return isinstance(value, Signature) or (
        isinstance(value, Mapping) and "subtask_type" in value and "task" in value and "options" in value
    )


def plain(value: Any) -> Any:
    """Return a copy of signatures in which nothing is shared with the caller's, and models as JSON."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    # A group's tasks may be a generator that Celery made repeatable.
    if isinstance(value, (list, tuple)) or type(value).__name__ == "_regen":
        return [plain(each) for each in value]
    return value


def single_tasks(value: Any) -> Iterator[dict[str, Any]]:
    """Yield each signature of one task that a plain value holds, at whatever depth of the canvas."""
    if is_signature(value):
        yield from _of_signature(value)
    elif isinstance(value, list):
        for each in value:
            yield from single_tasks(each)


def _of_signature(signature: dict[str, Any]) -> Iterator[dict[str, Any]]:
    options = signature["options"]
    for name in _NESTED_IN_OPTIONS:
        yield from single_tasks(options.get(name))
    if is_celerys_own(signature["task"]):
        # chain, group, chord and what Celery makes of them: their arguments are signatures.
        yield from _in_arguments(signature)
        return
    yield signature


def _in_arguments(signature: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    arguments: Iterable[Any] = [*(signature.get("args") or ()), *(signature.get("kwargs") or {}).values()]
    for each in arguments:
        yield from single_tasks(each)


def is_celerys_own(task_name: str) -> bool:
    """Return whether a task comes with Celery: it works on signatures and touches no table."""
    return task_name.startswith("celery.")
