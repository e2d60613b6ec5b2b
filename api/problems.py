"""Errors as HTTP shows them: RFC 9457 problem details, and the one table of what each error is answered with."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel, Field
from sqlalchemy import exc as sqlalchemy

from api import errors as own
from api.errors import FieldProblem
from db import errors as db
from db.jobs import JobState
from tasks import errors as tasks

MEDIA_TYPE: Final = "application/problem+json"


class Problem(BaseModel):
    """What every error is answered with, as `application/problem+json` (RFC 9457)."""

    type: str = Field(description="Stable, and what to decide on.", examples=["/problems/invalid-payload"])
    title: str = Field(examples=["The payload does not fit the task"])
    status: int = Field(examples=[422])
    detail: str
    hint: str | None = Field(None, description="What to do about it.")
    errors: list[FieldProblem] | None = Field(None, description="Each thing that is wrong, where there are several.")
    limit_bytes: int | None = Field(None, description="The limit that was exceeded.")
    state: JobState | None = Field(None, description="The state of the job that is in another one than this needs.")
    request_id: str = Field(description="The same as in the header X-Request-Id and in the log.")


@dataclass(frozen=True, slots=True)
class Kind:
    """How a class of errors is answered. `slug` is promised: clients decide on it."""

    status: int
    slug: str
    title: str
    retry_after_seconds: int | None = None
    """When to try again, where that alone may help."""

    @property
    def type(self) -> str:
        """The problem's `type`: a reference, relative to whatever host this API is reached at."""
        return f"/problems/{self.slug}"


INTERNAL: Final = Kind(500, "internal-error", "Something went wrong here")

RETRY_AFTER_SECONDS: Final = 2

_DATABASE_AWAY: Final = Kind(503, "database-unavailable", "The database is not available", RETRY_AFTER_SECONDS)
_SCHEMA_MISMATCH: Final = Kind(
    503, "schema-mismatch", "The database is of another version than this code", RETRY_AFTER_SECONDS
)

KINDS: Final[Mapping[type[Exception], Kind]] = {
    own.MalformedJsonError: Kind(400, "malformed-json", "The body is not JSON"),
    own.PartialUploadError: Kind(400, "partial-upload", "A file is uploaded as a whole"),
    db.CredentialRejectedError: Kind(401, "credential-refused", "The API key was refused"),
    db.TenantUnknownError: Kind(401, "credential-refused", "The API key was refused"),
    db.TenantSuspendedError: Kind(403, "tenant-suspended", "The tenant is suspended"),
    db.TenantDeletingError: Kind(403, "tenant-deleting", "The tenant is being deleted"),
    db.TenantDrainingError: Kind(403, "tenant-draining", "The tenant accepts no jobs any more"),
    own.RouteUnknownError: Kind(404, "unknown-route", "There is nothing at this address"),
    db.JobNotFoundError: Kind(404, "job-not-found", "There is no such job"),
    db.FileNotFoundInTenantError: Kind(404, "file-not-found", "There is no such file"),
    own.MethodNotAllowedError: Kind(405, "method-not-allowed", "This address does not answer that method"),
    own.RequestTimeoutError: Kind(408, "request-timeout", "The request took too long to arrive"),
    db.TokenExpiredError: Kind(408, "request-timeout", "The request took too long to arrive"),
    db.IdempotencyKeyReusedError: Kind(409, "idempotency-key-reused", "The idempotency key stands for another request"),
    db.UniqueKeyTakenError: Kind(409, "unique-key-taken", "Another job with this unique key is live"),
    db.JobOverError: Kind(409, "job-over", "The job is over, or in another state than this needs"),
    own.BodyTooLargeError: Kind(413, "body-too-large", "The body is too large"),
    db.PayloadTooLargeError: Kind(413, "payload-too-large", "The payload is too large"),
    db.FileTooLargeError: Kind(413, "file-too-large", "The file is too large"),
    own.MediaTypeError: Kind(415, "unsupported-media-type", "The body has to be JSON"),
    own.RequestInvalidError: Kind(422, "invalid-request", "The request is not valid"),
    own.CursorInvalidError: Kind(422, "invalid-cursor", "The cursor is not valid"),
    tasks.UnknownTaskError: Kind(422, "unknown-task", "There is no such task"),
    tasks.PayloadInvalidError: Kind(422, "invalid-payload", "The payload does not fit the task"),
    tasks.JobsInvalidError: Kind(422, "invalid-jobs", "Some of the jobs cannot be accepted"),
    db.PayloadUnstorableError: Kind(422, "unstorable-payload", "The payload cannot be kept"),
    db.FileNameInvalidError: Kind(422, "invalid-file-name", "A file cannot have this name"),
    db.TooManyJobsError: Kind(422, "too-many-jobs", "More jobs at once than may wait"),
    db.QueueFullError: Kind(429, "queue-full", "As many jobs wait as may", RETRY_AFTER_SECONDS),
    sqlalchemy.OperationalError: _DATABASE_AWAY,
    sqlalchemy.InterfaceError: _DATABASE_AWAY,
    sqlalchemy.TimeoutError: _DATABASE_AWAY,
    db.SchemaOlderError: _SCHEMA_MISMATCH,
    db.SchemaNewerError: _SCHEMA_MISMATCH,
}

_MAX_FIELDS: Final = 100


def kind_of(error: Exception) -> Kind | None:
    """Return how an error is answered, or None when nobody foresaw it."""
    for each in type(error).__mro__:
        if each in KINDS:
            return KINDS[each]
    return None


def describe(error: Exception, kind: Kind, *, request_id: str) -> Problem:
    """Return what a client may know of an error. Never the facts: those may name what the client may not see."""
    detail, hint, limit_bytes, state = f"{kind.title}.", None, None, None
    if isinstance(error, db.PartywallError):
        detail, hint = f"{error.message[:1].upper()}{error.message[1:]}.", error.hint
        limit_bytes, state = error.facts.get("limit_bytes"), error.facts.get("state")
    elif kind is _DATABASE_AWAY:
        # More cannot be promised: a connection may break inside COMMIT. Who sent an Idempotency-Key need not know.
        detail = "What was accepted before is safe. This request was most likely not carried out."
        hint = f"Send it again in {RETRY_AFTER_SECONDS} seconds."
    return Problem(
        type=kind.type,
        title=kind.title,
        status=kind.status,
        detail=detail,
        hint=hint,
        errors=_fields(error)[:_MAX_FIELDS] or None,
        limit_bytes=limit_bytes,
        state=state,
        request_id=request_id,
    )


def _fields(error: Exception) -> list[FieldProblem]:
    match error:
        case own.RequestInvalidError():
            return error.errors
        case own.CursorInvalidError():
            return [FieldProblem(parameter="cursor", code="invalid_cursor", detail=error.message)]
        case tasks.JobsInvalidError():
            return [field for position, each in error.errors.items() for field in _fields_of_job(each, position)]
        case db.PartywallError():
            return _fields_of_job(error, error.facts.get("position"))
    return []


def _fields_of_job(error: db.PartywallError, position: int | None) -> list[FieldProblem]:
    """Return what is wrong with a job: with the one of the request, or with that at a position of a batch."""
    job = "" if position is None else f"/jobs/{position}"
    match error:
        case tasks.UnknownTaskError():
            return [FieldProblem(pointer=f"{job}/task", code="unknown_task", detail=error.message)]
        case db.PayloadUnstorableError():
            return [FieldProblem(pointer=f"{job}/payload", code="unstorable", detail=error.message)]
        case db.PayloadTooLargeError():
            return [FieldProblem(pointer=f"{job}/payload", code="too_large", detail=error.message)]
        case db.UniqueKeyTakenError():
            return [FieldProblem(pointer=f"{job}/unique_key", code="unique_key_taken", detail=error.message)]
        case db.IdempotencyKeyReusedError() if job:
            return [FieldProblem(pointer=job, code="idempotency_key_reused", detail=error.message)]
        case tasks.PayloadInvalidError():
            return [
                FieldProblem(pointer=f"{job}/payload{each.pointer}", code=each.code, detail=each.detail)
                for each in error.errors
            ]
    return []
