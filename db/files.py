"""Files of a tenant, behind the wall like its rows: what is too big to be a payload.

They live in PostgreSQL, cut into chunks. What keeps them elsewhere, say in object storage, is another
`FileStore`.
"""

import hashlib
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Protocol
from uuid import UUID

from pydantic import Field
from sqlalchemy import Row, text

from db.errors import FileDamagedError, FileNameInvalidError, FileNotFoundInTenantError, FileTooLargeError
from db.session import Executor
from db.settings import PartywallSettings

MEBIBYTE = 1024 * 1024
CHUNK_BYTES = MEBIBYTE
"""How much of a file is in memory at once, and in one row."""

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}")


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One file without its bytes. `sha256` is their digest, in hex; `created_at` is when they were stored."""

    name: str
    size_bytes: int
    sha256: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class WrittenFile(StoredFile):
    """A file that was just stored. `replaced` is true when the name stood for other bytes before."""

    replaced: bool


class FileStore(Protocol):
    """Where files are. Every call acts for the tenant of the executor's transaction, and commits with it."""

    def write(self, executor: Executor, name: str, chunks: Iterable[bytes]) -> WrittenFile:
        """Store the bytes under the name. A reader sees the whole old file or the whole new one.

        `chunks` may be of any sizes.

        Raises:
            FileNameInvalidError: not 1 to 200 of A-Z a-z 0-9 . _ -, or it starts with a dot.
            FileTooLargeError: over `PARTYWALL_FILE_LIMIT_BYTES`. Roll back: part of it is written.
        """

    def stat(self, executor: Executor, name: str) -> StoredFile:
        """Return what is known of a file.

        Raises:
            FileNotFoundInTenantError: the tenant has no such file; whether another one has, is not told.
        """

    def copy_to(self, executor: Executor, name: str, target: BinaryIO) -> StoredFile:
        """Append a file's bytes to `target` and return what they are.

        Raises:
            FileNotFoundInTenantError: nothing was appended.
            FileDamagedError: the bytes are not those that were stored.
        """

    def read(self, executor: Executor, name: str) -> Iterator[bytes]:
        """Return a file's bytes in chunks of at most 1 MiB.

        They are all here when this returns, in a temporary file: neither a commit halfway nor a replacement
        of the file disturbs the reader.

        Raises:
            FileNotFoundInTenantError, FileDamagedError: as `copy_to()`.
        """


class FileSettings(PartywallSettings):
    """How big a file may be."""

    file_limit_bytes: int = Field(64 * MEBIBYTE, ge=1, description="The largest file a tenant may store.")


def file_store() -> FileStore:
    """Return the store of this deployment: PostgreSQL."""
    return PostgresFileStore(limit_bytes=FileSettings.load().file_limit_bytes)


# One file of that name may be uploaded twice at once: the later waits here for the earlier, then replaces it.
# xmax is 0 on a row that this statement inserted, this transaction's id on one it had to lock and update.
_RESERVE = text("""
    insert into app.files as files (name, size_bytes, sha256)
    values (:name, 0, encode(sha256(''), 'hex'))
    on conflict on constraint files_name_is_unique do update set created_at = now()
    returning files.id, files.xmax <> 0 as replaced
""")
_CLEAR = text("delete from app.file_chunks where file_id = :file_id")
_APPEND = text("insert into app.file_chunks (file_id, position, data) values (:file_id, :position, :data)")
_DESCRIBE = text("""
    update app.files
    set size_bytes = :size_bytes,
        sha256     = :sha256
    where id = :file_id
    returning created_at
""")
_STAT = text("select name, size_bytes, sha256, created_at from app.files where name = :name")
# One statement, so one snapshot: a replacement that commits meanwhile is not seen at all.
_CONTENT = text("""
    select files.name, files.size_bytes, files.sha256, files.created_at, chunks.data
    from app.files as files
    left join app.file_chunks as chunks on chunks.tenant_id = files.tenant_id and chunks.file_id = files.id
    where files.name = :name
    order by chunks.position
""")


@dataclass(frozen=True, slots=True)
class PostgresFileStore:
    """Files as rows of `app.files` and `app.file_chunks`."""

    limit_bytes: int

    def write(self, executor: Executor, name: str, chunks: Iterable[bytes]) -> WrittenFile:
        """Store the bytes in the executor's transaction."""
        check_name(name)
        file = executor.execute(_RESERVE, {"name": name}).one()
        if file.replaced:
            executor.execute(_CLEAR, {"file_id": file.id})
        size_bytes, sha256 = self._append(executor, file.id, chunks)
        created_at: datetime = executor.execute(
            _DESCRIBE, {"file_id": file.id, "size_bytes": size_bytes, "sha256": sha256}
        ).scalar_one()
        return WrittenFile(name, size_bytes, sha256, created_at, replaced=file.replaced)

    def _append(self, executor: Executor, file_id: UUID, chunks: Iterable[bytes]) -> tuple[int, str]:
        digest = hashlib.sha256()
        size_bytes = 0
        for position, chunk in enumerate(_evenly(chunks)):
            size_bytes += len(chunk)
            if size_bytes > self.limit_bytes:
                raise too_large(self.limit_bytes)
            digest.update(chunk)
            executor.execute(_APPEND, {"file_id": file_id, "position": position, "data": chunk})
        return size_bytes, digest.hexdigest()

    def stat(self, executor: Executor, name: str) -> StoredFile:
        """Return what `app.files` says."""
        if not _NAME.fullmatch(name):
            raise _not_found(name)
        row = executor.execute(_STAT, {"name": name}).one_or_none()
        if row is None:
            raise _not_found(name)
        return _described(row)

    def copy_to(self, executor: Executor, name: str, target: BinaryIO) -> StoredFile:
        """Append the bytes to `target`, two chunks in memory at a time."""
        if not _NAME.fullmatch(name):
            raise _not_found(name)
        digest = hashlib.sha256()
        file: StoredFile | None = None
        for row in executor.execute(_CONTENT, {"name": name}, execution_options={"yield_per": 2}):
            file = file or _described(row)
            if row.data is not None:
                digest.update(row.data)
                target.write(row.data)
        if file is None:
            raise _not_found(name)
        if digest.hexdigest() != file.sha256:
            raise FileDamagedError(file=name, hint="Upload it again, then find out who wrote to it.")
        return file

    def read(self, executor: Executor, name: str) -> Iterator[bytes]:
        """Return the bytes from a temporary file that has no name and vanishes with the last chunk."""
        with ExitStack() as on_error:
            spool = on_error.enter_context(tempfile.TemporaryFile())
            self.copy_to(executor, name, spool)
            on_error.pop_all()
        return _rest_of(spool)


def check_name(name: str) -> None:
    """Return when a file may have this name: one that is safe in a URL, a header and a directory.

    Raises:
        FileNameInvalidError: it is not 1 to 200 of A-Z a-z 0-9 . _ -, or it starts with a dot.
    """
    if not _NAME.fullmatch(name):
        raise FileNameInvalidError(hint="Use 1 to 200 of A-Z a-z 0-9 . _ - and no dot in front.")


def too_large(limit_bytes: int) -> FileTooLargeError:
    """Return the refusal of a file over the limit."""
    return FileTooLargeError(limit_bytes=limit_bytes, hint="Split it, or raise PARTYWALL_FILE_LIMIT_BYTES.")


def _not_found(name: str) -> FileNotFoundInTenantError:
    return FileNotFoundInTenantError(file=name, hint="Upload it first: PUT /v1/files/NAME.")


def _described(row: Row[tuple[object, ...]]) -> StoredFile:
    return StoredFile(name=row.name, size_bytes=row.size_bytes, sha256=row.sha256, created_at=row.created_at)


def _evenly(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the same bytes in chunks of CHUNK_BYTES, the last one shorter and none empty."""
    pending = bytearray()
    for chunk in chunks:
        pending += chunk
        while len(pending) >= CHUNK_BYTES:
            yield bytes(pending[:CHUNK_BYTES])
            del pending[:CHUNK_BYTES]
    if pending:
        yield bytes(pending)


def _rest_of(spool: BinaryIO) -> Iterator[bytes]:
    with spool:
        spool.seek(0)
        while chunk := spool.read(CHUNK_BYTES):
            yield chunk
