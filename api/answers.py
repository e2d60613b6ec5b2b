"""Turning exceptions into problem responses, those of the framework included."""

from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from sqlalchemy import exc as sqlalchemy
from starlette.exceptions import HTTPException

from api.errors import FieldProblem, MethodNotAllowedError, RequestInvalidError, RouteUnknownError
from api.problems import INTERNAL, MEDIA_TYPE, Kind, describe, kind_of
from db.errors import PartywallError

log = structlog.get_logger(__name__)


def install(app: FastAPI) -> None:
    """Have every foreseen error answered as a problem. The rest is caught by `api/edge.py`."""
    for kind in (
        PartywallError,
        sqlalchemy.OperationalError,
        sqlalchemy.InterfaceError,
        sqlalchemy.TimeoutError,
    ):
        app.add_exception_handler(kind, _answer)
    app.add_exception_handler(RequestValidationError, _answer_validation)
    app.add_exception_handler(HTTPException, _answer_framework)


def internal_error(request_id: str) -> Response:
    """Return the answer to what nobody foresaw. It tells nothing but where to look."""
    return _response(PartywallError("the log knows what happened"), INTERNAL, request_id)


async def _answer(request: Request, error: Exception) -> Response:
    kind = kind_of(error)
    if kind is None:
        raise error
    if kind.status >= 500:
        log.warning("unavailable", problem=kind.slug, error=type(error).__name__, reason=_reason(error))
    return _response(error, kind, request.state.request_id)


async def _answer_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - the handler is registered for this class
    return await _answer(request, RequestInvalidError(errors=[_parameter(each) for each in error.errors()]))


async def _answer_framework(request: Request, error: Exception) -> Response:
    """Answer what the router refuses before any code of ours runs."""
    assert isinstance(error, HTTPException)  # noqa: S101 - the handler is registered for this class
    match error.status_code:
        case 404:
            return await _answer(request, RouteUnknownError(hint="GET /openapi.json lists what there is."))
        case 405:
            allowed = (error.headers or {}).get("Allow", "")
            response = await _answer(request, MethodNotAllowedError(hint=f"Use one of: {allowed}."))
            response.headers["Allow"] = allowed
            return response
    raise error


def _response(error: Exception, kind: Kind, request_id: str) -> Response:
    problem = describe(error, kind, request_id=request_id)
    headers: dict[str, str] = {}
    if kind.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="partywall"'
    if kind.retry_after_seconds is not None:
        headers["Retry-After"] = str(kind.retry_after_seconds)
    return Response(
        problem.model_dump_json(exclude_none=True),
        status_code=kind.status,
        headers=headers,
        media_type=MEDIA_TYPE,
    )


def _parameter(error: dict[str, Any]) -> FieldProblem:
    where, name = error["loc"][:2]
    header, parameter = (str(name), None) if where == "header" else (None, str(name))
    return FieldProblem(header=header, parameter=parameter, code=error["type"], detail=error["msg"])


def _reason(error: Exception) -> str:
    """Return the first line only: what follows quotes statements and their parameters."""
    said = error.orig if isinstance(error, sqlalchemy.DBAPIError) else error
    return str(said).partition("\n")[0]
