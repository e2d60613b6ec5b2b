"""Reading what a client sends: as much as is allowed, as long as it keeps coming, and as JSON only if it is."""

import asyncio
from collections.abc import AsyncIterator
from typing import TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from api.errors import (
    BodyTooLargeError,
    FieldProblem,
    MalformedJsonError,
    MediaTypeError,
    RequestInvalidError,
    RequestTimeoutError,
)
from api.settings import ApiSettings
from db.errors import PartywallError

Model = TypeVar("Model", bound=BaseModel)

JSON_ERRORS = (MediaTypeError, BodyTooLargeError, RequestTimeoutError, MalformedJsonError, RequestInvalidError)
"""What an endpoint that calls `json_body()` may answer: for `problems()`."""


async def body_chunks(
    request: Request, *, limit_bytes: int, too_large: PartywallError, idle_seconds: float
) -> AsyncIterator[bytes]:
    """Yield the body as it arrives; stop reading at the first byte over the limit.

    Raises:
        PartywallError: `too_large`, before anything is read if the client says beforehand how much it sends.
        RequestTimeoutError: nothing arrived for `idle_seconds`.
    """
    if int(request.headers.get("content-length", 0)) > limit_bytes:
        raise too_large
    read_bytes = 0
    arriving = aiter(request.stream())
    while True:
        try:
            async with asyncio.timeout(idle_seconds):
                chunk = await anext(arriving)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise RequestTimeoutError(idle_seconds=idle_seconds, hint="Send it again.") from None
        read_bytes += len(chunk)
        if read_bytes > limit_bytes:
            raise too_large
        yield chunk


async def json_body(request: Request, model: type[Model]) -> Model:
    """Return the body as the model reads it.

    Raises:
        MediaTypeError, BodyTooLargeError, RequestTimeoutError, MalformedJsonError: it cannot be read.
        RequestInvalidError: it is JSON, but not of the model's shape.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise MediaTypeError(hint="Send it with: Content-Type: application/json.")
    settings: ApiSettings = request.app.state.settings
    limit_bytes = settings.api_json_limit_bytes
    too_large = BodyTooLargeError(
        limit_bytes=limit_bytes, hint="Upload big inputs with PUT /v1/files/NAME and pass the name."
    )
    body = bytearray()
    async for chunk in body_chunks(
        request, limit_bytes=limit_bytes, too_large=too_large, idle_seconds=settings.api_idle_seconds
    ):
        body += chunk
    return read_json(bytes(body), model)


async def optional_json_body(request: Request, model: type[Model]) -> Model:
    """Return the body as the model reads it; what the model says of `{}` when the request has none.

    Raises:
        PartywallError: as `json_body()` does.
    """
    if request.headers.get("content-length", "0") == "0" and "transfer-encoding" not in request.headers:
        return read_json(b"{}", model)
    return await json_body(request, model)


def read_json(body: bytes, model: type[Model]) -> Model:
    """Return what JSON text says, as the model reads it."""
    try:
        document = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        # Says what was expected and at which line and column, and quotes nothing.
        raise MalformedJsonError(f"the body is not JSON: {error}") from None
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise RequestInvalidError(
            errors=[
                FieldProblem(
                    pointer="".join(_step(part) for part in each["loc"]), code=each["type"], detail=each["msg"]
                )
                for each in error.errors(include_url=False, include_input=False, include_context=False)
            ]
        ) from None


def _step(part: str | int) -> str:
    return "/" + str(part).replace("~", "~0").replace("/", "~1")
