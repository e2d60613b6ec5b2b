"""Whose message an `async def` body runs for: Celery keeps that by thread, and bodies on the loop share one."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from celery import Task

from tasks.event_loop import is_on_loop


@dataclass(slots=True)
class MessageOnLoop:
    """A task and its request, until its body has ended."""

    task: "Task[Any, Any]"
    request: Any
    over: bool = False


_message: ContextVar[MessageOnLoop | None] = ContextVar("partywall_message", default=None)


@contextmanager
def carrying(task: "Task[Any, Any]") -> Iterator[None]:
    """Let what the block runs on the event loop find the request that this thread is at."""
    message = MessageOnLoop(task, task.request)
    entered = _message.set(message)
    try:
        yield
    finally:
        message.over = True
        _message.reset(entered)


def message_on_loop() -> MessageOnLoop | None:
    """Return the message whose body asks; None outside of one that runs on the loop."""
    message = _message.get()
    return message if message is not None and not message.over and is_on_loop() else None
