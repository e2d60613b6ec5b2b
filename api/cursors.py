"""Cursors: where a list goes on. Opaque to clients, good for the same tenant and the same filters only."""

import hashlib
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode

from api.errors import CursorInvalidError

_POSITION_BYTES = 16
_CHECK_BYTES = 8
_FORM = re.compile(r"[A-Za-z0-9_-]{32}")
"""Base64 of 24 bytes: without padding, and with one spelling only."""


def encode(last: int, *, scope: str) -> str:
    """Return the cursor after the position `last`, a number of at most 128 bits, as a UUID is one.

    `scope` says whose list it is, of what, and filtered by what.
    """
    position = last.to_bytes(_POSITION_BYTES)
    return urlsafe_b64encode(position + _check(position, scope)).decode()


def decode(cursor: str, *, scope: str) -> int:
    """Return the position to go on after.

    The check guards against mistakes, not attacks: there is nothing to attack, the wall holds for any position.

    Raises:
        CursorInvalidError: the text was altered, or comes from another list.
    """
    if not _FORM.fullmatch(cursor):
        raise _invalid()
    raw = urlsafe_b64decode(cursor)
    position, check = raw[:_POSITION_BYTES], raw[_POSITION_BYTES:]
    if check != _check(position, scope):
        raise _invalid()
    return int.from_bytes(position)


def _check(position: bytes, scope: str) -> bytes:
    return hashlib.sha256(position + scope.encode()).digest()[:_CHECK_BYTES]


def _invalid() -> CursorInvalidError:
    return CursorInvalidError(hint="Take it from page.cursor of the same list with the same filters, or leave it out.")
