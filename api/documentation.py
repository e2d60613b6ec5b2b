"""What OpenAPI is told beyond what FastAPI sees: problems, and bodies that endpoints read by themselves."""

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api.job_requests import CancelRequest, JobRequest
from api.problems import INTERNAL, KINDS, MEDIA_TYPE, Kind, Problem

DESCRIPTION: Final = """
Background jobs for one tenant: yours. Who that is follows from the API key; nothing in a request names a tenant, and
what belongs to another one does not exist here.

Every error is `application/problem+json` (RFC 9457). Decide on its `type`.
"""

Responses = dict[int | str, dict[str, Any]]
"""By status, what FastAPI takes as `responses`."""

_RETRY_AFTER: Final[dict[str, Any]] = {
    "headers": {"Retry-After": {"description": "Seconds until it may be tried again.", "schema": {"type": "integer"}}}
}
_REFERENCE: Final = "#/components/schemas/{model}"

_BYTES_SCHEMA: Final = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
BYTES: Final[Responses] = {200: {"description": "The bytes.", "content": _BYTES_SCHEMA}}
BYTES_REQUEST: Final[dict[str, Any]] = {"requestBody": {"required": True, "content": _BYTES_SCHEMA}}


def json_request(model: type[BaseModel], *, required: bool = True) -> dict[str, Any]:
    """Return `openapi_extra` for an endpoint that reads the model with `json_body()` or `optional_json_body()`."""
    schema = {"$ref": _REFERENCE.format(model=model.__name__)}
    return {"requestBody": {"required": required, "content": {"application/json": {"schema": schema}}}}


def problems(*errors: type[Exception]) -> Responses:
    """Return `responses` that declare these errors, and the one that nobody foresees, as problems."""
    kinds: dict[int, dict[str, Kind]] = {}
    for kind in (*(KINDS[error] for error in errors), INTERNAL):
        kinds.setdefault(kind.status, {})[kind.type] = kind
    content = {MEDIA_TYPE: {"schema": {"$ref": _REFERENCE.format(model=Problem.__name__)}}}
    return {
        status: {
            "description": "; ".join(f"{each.title} (`{each.type}`)" for each in known.values()),
            "content": content,
        }
        | (_RETRY_AFTER if all(each.retry_after_seconds is not None for each in known.values()) else {})
        for status, known in kinds.items()
    }


def install(app: FastAPI) -> None:
    """Have the app describe itself with the schemas that FastAPI does not come across."""

    def describe() -> dict[str, Any]:
        if app.openapi_schema is None:
            described = get_openapi(
                title=app.title, version=app.version, description=app.description, routes=app.routes
            )
            _, own = models_json_schema(
                [(Problem, "serialization"), (JobRequest, "validation"), (CancelRequest, "validation")],
                ref_template=_REFERENCE,
            )
            described["components"]["schemas"] |= own["$defs"]
            app.openapi_schema = _without_framework_errors(described)
        return app.openapi_schema

    app.openapi = describe  # type: ignore[method-assign]


def _without_framework_errors(described: dict[str, Any]) -> dict[str, Any]:
    """Take out the validation error that FastAPI declares wherever there is a parameter: nobody ever gets it."""
    for operations in described["paths"].values():
        for operation in operations.values():
            if "HTTPValidationError" in str(operation["responses"].get("422")):
                del operation["responses"]["422"]
    for name in ("HTTPValidationError", "ValidationError"):
        described["components"]["schemas"].pop(name, None)
    return described
