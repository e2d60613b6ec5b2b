"""`/v1/files`: inputs too big for a payload.

Both ways a file goes through a temporary file without a name, so that no database transaction waits for a client.
"""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from typing import BinaryIO, Self

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from api.authentication import CALLER_ERRORS, Caller, fresh
from api.bodies import body_chunks
from api.documentation import BYTES, BYTES_REQUEST, Responses, problems
from api.errors import PartialUploadError, RequestTimeoutError
from api.settings import ApiSettings
from api.spooling import SpooledResponse
from db.errors import FileNameInvalidError, FileNotFoundInTenantError, FileTooLargeError
from db.files import CHUNK_BYTES, FileStore, StoredFile, WrittenFile, check_name, too_large
from db.roles import Role
from db.session import async_tenant_session

router = APIRouter(prefix="/v1/files", tags=["files"])


class FileBody(BaseModel):
    """One file without its bytes."""

    name: str
    size_bytes: int
    sha256: str = Field(description="Of the bytes, in hex.")
    created_at: datetime = Field(description="When these bytes were stored.")

    @classmethod
    def of(cls, file: StoredFile) -> Self:
        """Return the file as HTTP shows it."""
        return cls(name=file.name, size_bytes=file.size_bytes, sha256=file.sha256, created_at=file.created_at)


_REPLACED: Responses = {200: {"model": FileBody, "description": "Stored in place of other bytes of that name."}}
_NOT_MODIFIED: Responses = {304: {"description": "The client has these bytes."}}


@router.put(
    "/{name}",
    status_code=201,
    response_description="Stored under a new name.",
    responses=_REPLACED
    | problems(*CALLER_ERRORS, RequestTimeoutError, PartialUploadError, FileNameInvalidError, FileTooLargeError),
    openapi_extra=BYTES_REQUEST,
)
async def put_file(name: str, request: Request, response: Response, caller: Caller) -> FileBody:
    """Store a file. Whoever reads meanwhile gets the whole old one or the whole new one."""
    check_name(name)
    if "content-range" in request.headers:
        raise PartialUploadError(hint="Send the whole file, without Content-Range.")
    with tempfile.TemporaryFile() as spool:
        await _receive(request, spool)
        # The upload may have taken longer than a context lives, and its key may have been revoked meanwhile.
        caller = await fresh(request)

        def store(session: Session) -> WrittenFile:
            return _store(request).write(session, name, _rest_of(spool))

        async with async_tenant_session(caller.context, role=Role.API) as session:
            file = await session.run_sync(store)
    response.status_code = 200 if file.replaced else 201
    response.headers["Location"] = f"/v1/files/{name}"
    return FileBody.of(file)


@router.get(
    "/{name}",
    response_class=Response,
    responses=BYTES | _NOT_MODIFIED | problems(*CALLER_ERRORS, FileNotFoundInTenantError),
)
async def get_file(name: str, request: Request, caller: Caller) -> Response:
    """Get a file's bytes. `ETag` is their SHA-256."""
    store = _store(request)
    with ExitStack() as unless_answered:
        spool: BinaryIO = unless_answered.enter_context(tempfile.TemporaryFile())
        async with async_tenant_session(caller.context, role=Role.API) as session:
            file = await session.run_sync(lambda sync: store.stat(sync, name))
            if _has(request, file):
                return Response(status_code=304, headers=_headers(file))
            file = await session.run_sync(lambda sync: store.copy_to(sync, name, spool))
        unless_answered.pop_all()
    return SpooledResponse(spool, headers=_headers(file) | _content_headers(file))


@router.head("/{name}", response_class=Response, responses=BYTES | problems(*CALLER_ERRORS, FileNotFoundInTenantError))
async def head_file(name: str, request: Request, caller: Caller) -> Response:
    """Get a file's size and SHA-256 without its bytes."""
    async with async_tenant_session(caller.context, role=Role.API) as session:
        file = await session.run_sync(lambda sync: _store(request).stat(sync, name))
    return Response(headers=_headers(file) | _content_headers(file))


async def _receive(request: Request, spool: BinaryIO) -> None:
    settings: ApiSettings = request.app.state.settings
    limit_bytes: int = request.app.state.file_limit_bytes
    async for chunk in body_chunks(
        request,
        limit_bytes=limit_bytes,
        too_large=too_large(limit_bytes),
        idle_seconds=settings.api_idle_seconds,
    ):
        spool.write(chunk)
    spool.seek(0)


def _store(request: Request) -> FileStore:
    store: FileStore = request.app.state.files
    return store


def _rest_of(spool: BinaryIO) -> Iterator[bytes]:
    while chunk := spool.read(CHUNK_BYTES):
        yield chunk


def _has(request: Request, file: StoredFile) -> bool:
    known = request.headers.get("if-none-match", "")
    return any(each.strip().removeprefix("W/") in (f'"{file.sha256}"', "*") for each in known.split(","))


def _headers(file: StoredFile) -> dict[str, str]:
    return {"ETag": f'"{file.sha256}"', "Cache-Control": "private, no-cache"}


def _content_headers(file: StoredFile) -> dict[str, str]:
    return {
        "Content-Type": "application/octet-stream",
        "Content-Length": str(file.size_bytes),
        # A browser must never show what a tenant uploaded as a page of ours.
        "Content-Disposition": f'attachment; filename="{file.name}"',
    }
