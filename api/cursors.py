"""Cursors: where a list goes on. Opaque to clients, good for the same tenant and the same filters only."""

import hashlib
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from uuid import UUID

from api.errors import CursorInvalidError

_ID_BYTES = 16
_CHECK_BYTES = 8
_FORM = re.compile(r"[A-Za-z0-9_-]{32}")
"""Base64 of 24 bytes: without padding, and with one spelling only."""


def encode(last_id: UUID, *, scope: str) -> str:
    """Return the cursor after the row `last_id`. `scope` says whose list it is, and filtered by what."""
    return urlsafe_b64encode(last_id.bytes + _check(last_id.bytes, scope)).decode()


def decode(cursor: str, *, scope: str) -> UUID:
    """Return the id of the row to go on after.

    The check guards against mistakes, not attacks: there is nothing to attack, the wall holds for any id.

    Raises:
        CursorInvalidError: the text was altered, or comes from another list.
    """
    if not _FORM.fullmatch(cursor):
        raise _invalid()
    raw = urlsafe_b64decode(cursor)
    position, check = raw[:_ID_BYTES], raw[_ID_BYTES:]
    if check != _check(position, scope):
        raise _invalid()
    return UUID(bytes=position)


def _check(position: bytes, scope: str) -> bytes:
    return hashlib.sha256(position + scope.encode()).digest()[:_CHECK_BYTES]


def _invalid() -> CursorInvalidError:
    return CursorInvalidError(hint="Take it from page.cursor of the same list with the same filters, or leave it out.")
