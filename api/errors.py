"""What only HTTP can get wrong: addresses, methods, bodies, cursors."""

from typing import Any

from pydantic import BaseModel, Field

from db.errors import PartywallError


class FieldProblem(BaseModel):
    """One thing wrong with a request: where, a stable code, and a sentence."""

    pointer: str | None = Field(None, description="JSON pointer (RFC 6901) into the body.", examples=["/payload/file"])
    parameter: str | None = Field(None, description="Name of a query parameter.")
    header: str | None = Field(None, description="Name of a header.")
    code: str = Field(examples=["missing"])
    detail: str = Field(examples=["Field required"])


class RouteUnknownError(PartywallError):
    """There is nothing at this address."""


class MethodNotAllowedError(PartywallError):
    """This address does not answer that method."""


class MalformedJsonError(PartywallError):
    """The body is not JSON."""


class MediaTypeError(PartywallError):
    """The body is not declared as JSON."""


class BodyTooLargeError(PartywallError):
    """The body is larger than this address reads."""


class RequestTimeoutError(PartywallError):
    """The request stopped arriving."""


class PartialUploadError(PartywallError):
    """A part of a file cannot be stored."""


class CursorInvalidError(PartywallError):
    """The cursor is not one that this list handed out."""


class RequestInvalidError(PartywallError):
    """The request is not valid."""

    def __init__(
        self,
        message: str | None = None,
        *,
        errors: list[FieldProblem],
        hint: str | None = None,
        **facts: Any,
    ) -> None:
        super().__init__(message, hint=hint, errors=errors, **facts)
        self.errors = errors
