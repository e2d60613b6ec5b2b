"""What can go wrong with tasks and the messages that name them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from db.errors import PartywallError


class TaskDeclarationError(PartywallError):
    """The task cannot be declared like this."""


class TaskModuleError(PartywallError):
    """A module of PARTYWALL_TASK_MODULES cannot be imported."""


class UnknownTaskError(PartywallError):
    """No task that can be enqueued has this name."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with a payload. `pointer` is an RFC 6901 JSON pointer into it, '' for the whole."""

    pointer: str
    code: str
    detail: str


class PayloadInvalidError(PartywallError):
    """The payload does not fit the task."""

    retryable: ClassVar[bool] = False

    def __init__(
        self, message: str | None = None, *, errors: Sequence[FieldError] = (), hint: str | None = None, **facts: Any
    ) -> None:
        super().__init__(message, hint=hint, **(facts | ({"errors": errors} if errors else {})))
        self.errors = errors

    def without_text(self) -> Self:
        """Return the same refusal without what may quote the payload: only which kinds of things are wrong."""
        wrong = sorted({each.code for each in self.errors})
        return type(self)(wrong=wrong, task=self.facts.get("task"), hint=self.hint)


class JobsInvalidError(PartywallError):
    """Some of the jobs cannot be accepted, so none of them was."""

    retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str | None = None,
        *,
        errors: Mapping[int, PartywallError],
        hint: str | None = None,
        **facts: Any,
    ) -> None:
        super().__init__(message, hint=hint, errors=errors, **facts)
        self.errors = errors
        """By position, from 0, what is wrong with each of them."""


class ResultTooLargeError(PartywallError):
    """The result is over 256 KiB."""

    retryable: ClassVar[bool] = False


class MessageInvalidError(PartywallError):
    """The broker message was not made by a dispatcher of this system."""


class AttemptFailedError(PartywallError):
    """The attempt failed; why stands in the job's row, where only its tenant can read it."""


class CallIdError(PartywallError):
    """The id of a call is a UUID."""


class CallTooLongError(PartywallError):
    """The call would wait or run for longer than a call can."""

    retryable: ClassVar[bool] = False


class CallArgumentsError(PartywallError):
    """A tenant's task takes one payload."""


class JobCancelledError(PartywallError):
    """The job was cancelled while this attempt ran. Nothing of it is kept."""

    retryable: ClassVar[bool] = False


class NotInAJobError(PartywallError):
    """A job is not changed through Celery."""

    retryable: ClassVar[bool] = False


class LoopBlockedError(PartywallError):
    """This would stop the event loop, and every body that runs on it."""

    retryable: ClassVar[bool] = False


class BodyCancelledError(PartywallError):
    """The body was cancelled, and not by its time limit."""


class NotInACallError(PartywallError):
    """A call has no job's row."""

    retryable: ClassVar[bool] = False


class ResultBackendMissingError(PartywallError):
    """A chord needs a result backend, and there is none."""

    retryable: ClassVar[bool] = False


class DatabaseAwayError(PartywallError):
    """PostgreSQL could not be asked whose call it is."""


class CallFailedError(PartywallError):
    """The call failed; the worker's log says where."""
