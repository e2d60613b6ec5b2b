"""What a worker looks at before anything else: is this a message of ours, as far as one can see from outside?

Celery takes a message's form for granted. What it trips over ends its main process and goes back to the broker, to end
the next one; and where it publishes what follows a task, an error leaves the message neither done nor given back.
"""

from collections.abc import Callable
from typing import Any

from celery.exceptions import InvalidTaskError
from celery.worker.strategy import default
from kombu.exceptions import ContentDisallowed, DecodeError
from pydantic import BaseModel, ConfigDict, ValidationError

from tasks.stamping import without_token


class MessageRefusedError(InvalidTaskError):
    """The message is dropped unread. The text says why, and quotes nothing of it."""


class _Signature(BaseModel):
    task: str
    args: list[Any]
    kwargs: dict[str, Any]
    options: dict[str, Any]
    subtask_type: str | None


class _Followers(BaseModel):
    """What a task leads to, in the third part of a body. Celery lays it over the request, so nothing else may be in."""

    model_config = ConfigDict(strict=True, extra="forbid")

    callbacks: list[_Signature] | None = None
    errbacks: list[_Signature] | None = None
    chain: list[_Signature] | None = None
    chord: _Signature | None = None


class _Headers(BaseModel):
    """Of Celery's second protocol, those that it works with before a body runs or after."""

    model_config = ConfigDict(strict=True)

    id: str
    task: str
    root_id: str | None = None
    parent_id: str | None = None
    group: str | None = None
    shadow: str | None = None
    argsrepr: str | None = None
    kwargsrepr: str | None = None
    eta: str | None = None
    expires: str | None = None
    retries: int | None = None
    ignore_result: bool | None = None
    timelimit: list[float | None] | None = None
    callbacks: list[_Signature] | None = None
    errbacks: list[_Signature] | None = None
    chain: list[_Signature] | None = None
    chord: _Signature | None = None


class _Message(BaseModel):
    model_config = ConfigDict(strict=True)

    headers: _Headers
    body: tuple[list[Any], dict[str, Any], _Followers | None]


_FOLLOWERS = ("callbacks", "errbacks", "chain", "chord")


def strategy(task: Any, app: Any, consumer: Any, **options: Any) -> Callable[..., None]:
    """Return what a worker does with a message of the task: Celery's own, once the message was looked at."""
    handle = default(task, app, consumer, **options)

    def look_and_handle(message: Any, body: Any, *rest: Any, **named: Any) -> None:
        if body is not None:
            raise MessageRefusedError("it is of Celery's first protocol")
        _look_at(message)
        handle(message, body, *rest, **named)

    return look_and_handle


STRATEGY = f"{strategy.__module__}:{strategy.__qualname__}"
"""As Celery takes it for a task's attribute."""


def _look_at(message: Any) -> None:
    body = _body(message)
    try:
        _Message.model_validate({"headers": message.headers, "body": body})
    except ValidationError as error:
        wrong = {".".join(map(str, each["loc"][:2])) for each in error.errors(include_input=False)}
        raise MessageRefusedError(f"malformed: {', '.join(sorted(wrong))}") from None
    held = [part.get(name) for part in (message.headers, body[2] or {}) for name in _FOLLOWERS]
    follower = next(without_token(held), None)
    if follower is not None:
        raise MessageRefusedError(f"it leads to a tenant's task without a token for it: {follower['task']}")


def _body(message: Any) -> Any:
    try:
        payload = message.payload
    except (ContentDisallowed, DecodeError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever an unheard-of encoding makes of it
        raise MessageRefusedError(f"its body cannot be read: {type(error).__name__}") from None
    # A list, as JSON has it; what is checked is a tuple of three.
    return tuple(payload) if isinstance(payload, list) else payload
