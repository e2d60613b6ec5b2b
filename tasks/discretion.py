"""Saying that a call failed, and where, without a word of what it held: logs and Flower are not the tenant's."""

import traceback
from pathlib import Path
from typing import Any

from celery.exceptions import Retry

from tasks.errors import CallFailedError


def kind_of(error: BaseException | None) -> str:
    """Return the name of the error's class."""
    return type(error).__name__


def place_of(error: BaseException) -> list[str]:
    """Return the last lines of code it passed: enough to find it, and nothing of what they held."""
    frames = traceback.extract_tb(error.__traceback__)[-5:]
    return [f"{Path(frame.filename).name}:{frame.lineno} in {frame.name}" for frame in frames]


def failure_of(error: BaseException | None, *, task: str, call: object) -> CallFailedError:
    """Return what Celery may know of an error: its class."""
    return CallFailedError(f"the call failed with {kind_of(error)}", task=task, call=call)


def retry_without_text(retry: Retry, *, task: str, call: object) -> Retry:
    """Return the same request for another try, with `failure_of()` its reason."""
    told: Any = retry
    reason = failure_of(told.exc, task=task, call=call)
    return Retry(exc=reason, when=told.when, is_eager=told.is_eager, sig=told.sig)
