"""A response out of a temporary file."""

from collections.abc import AsyncIterator
from typing import BinaryIO

from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

_CHUNK_BYTES = 256 * 1024


class SpooledResponse(StreamingResponse):
    """Sends a temporary file from its beginning and closes it, also when the client leaves halfway."""

    def __init__(self, spool: BinaryIO, *, headers: dict[str, str]) -> None:
        super().__init__(_chunks(spool), headers=headers)
        self._spool = spool

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        with self._spool:
            await super().__call__(scope, receive, send)


async def _chunks(spool: BinaryIO) -> AsyncIterator[bytes]:
    spool.seek(0)
    # Written a moment ago, so read from memory: a thread for each chunk would cost more than the read.
    while chunk := spool.read(_CHUNK_BYTES):
        yield chunk
