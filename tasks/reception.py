"""What a worker looks at before anything else: does the message lead to a tenant's task that nobody let in?"""

from typing import Any

from celery.exceptions import InvalidTaskError
from celery.worker.request import Request

from tasks.stamping import without_token

_FOLLOWERS = ("callbacks", "errbacks", "chain", "chord")
"""What the options of `tasks.signatures.LEADING_ON` are called in a message's headers."""


class FollowerWithoutTokenError(InvalidTaskError):
    """A task that is to follow this one is a tenant's, and carries no token."""


class Reception(Request):
    """A message as a worker receives it.

    Celery publishes what follows in places where an error would leave the message neither done nor given back, so one
    that can only end in an error is refused as a whole.
    """

    def __init__(self, message: Any, *args: Any, **options: Any) -> None:
        super().__init__(message, *args, **options)
        followers = [self.request_dict.get(name) for name in _FOLLOWERS]
        if any(without_token(followers)):
            raise FollowerWithoutTokenError


RECEPTION = f"{Reception.__module__}:{Reception.__qualname__}"
"""As Celery takes it for a task's class of requests."""
