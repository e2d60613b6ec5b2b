"""Finding every task that a message will lead to: in chains, groups, chords, links, and inside one another."""

from collections.abc import Iterator, Mapping
from typing import Any

from celery.canvas import Signature
from pydantic import BaseModel

LEADING_ON = ("link", "link_error", "chord", "chain")
"""The options of a message that hold what is published after it."""

STEPS = {"celery.chain": ("tasks",), "celery.group": ("tasks",), "celery.chord": ("header", "body")}
"""Where a canvas keeps its signatures. Its other arguments are data, whatever they look like."""

EACH_ITEM = ("celery.map", "celery.starmap", "celery.chunks")
"""Celery's tasks that call another one as a function, once for each item."""


def is_signature(value: Any) -> bool:
    """Return whether a value is a signature, as an object or as JSON spells it."""
    return isinstance(value, Mapping) and {"task", "options", "subtask_type"} <= value.keys()


def is_celerys_own(task_name: str) -> bool:
    """Return whether a task comes with Celery: it works on signatures and touches no table."""
    return task_name.startswith("celery.")


def plain_message(task_name: str, args: Any, kwargs: Any, options: dict[str, Any]) -> dict[str, Any]:
    """Return a message that is to be sent in the form of a plain signature."""
    return {"task": task_name, "args": args, "kwargs": kwargs, "options": options, "subtask_type": None}


def plain(value: Any) -> Any:
    """Return a copy of signatures in which nothing is shared with the caller's, and models as JSON."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    if _is_list(value):
        return [plain(each) for each in value]
    return value


def signatures_in(value: Any, copy: Any) -> Iterator[dict[str, Any]]:
    """Yield the copies of the signatures that a value holds, at whatever depth; `copy` is `plain(value)`.

    Only what is a signature now. Data that merely looks like one stays data: it may come from anybody.
    """
    if isinstance(value, Signature):
        yield copy
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from signatures_in(each, copy[key])
    elif _is_list(value):
        for each, its_copy in zip(value, copy, strict=True):
            yield from signatures_in(each, its_copy)


def single_tasks(value: Any) -> Iterator[dict[str, Any]]:
    """Yield each signature of one task that a plain signature, or a list of them, leads to."""
    if isinstance(value, list):
        for each in value:
            yield from single_tasks(each)
    elif is_signature(value):
        yield from _of_signature(value)


def _of_signature(signature: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for option in LEADING_ON:
        yield from single_tasks(signature["options"].get(option))
    steps = STEPS.get(signature["task"])
    if steps is None:
        yield signature
        return
    for step in steps:
        yield from single_tasks((signature.get("kwargs") or {}).get(step))


def _is_list(value: Any) -> bool:
    # A group's tasks may be a generator that Celery made repeatable.
    return isinstance(value, (list, tuple)) or type(value).__name__ == "_regen"
