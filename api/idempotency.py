"""The header Idempotency-Key: the same request sent twice is one job.

As draft-ietf-httpapi-idempotency-key-header has it, with one liberty: the quotes around the key may be left out, as
most clients do.
"""

from typing import Annotated, Final

from fastapi import Depends, Header, Request

from api.errors import FieldProblem, RequestInvalidError

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotency-Replayed"
"""A header of the answer: this is the job of an earlier request with the same key."""

_CHARACTERS: Final = r"[ !#-\[\]-~]{1,255}"
"""Printable ASCII but for `"` and `\\`, which would have a quoted and a bare spelling."""


def _idempotency_key(
    request: Request,
    spelled: Annotated[
        str | None,
        Header(
            alias=HEADER,
            pattern=f'^(?:{_CHARACTERS}|"{_CHARACTERS}")$',
            description="1 to 255 printable ASCII characters, in quotes or not. The same key with the same task and "
            "payload is the same job, for as long as that is kept.",
            examples=["8e03978e-40d5-43dd-bc93-6894a57f9324"],
        ),
    ] = None,
) -> str | None:
    if len(request.headers.getlist(HEADER)) > 1:
        detail = "Only one of them can be meant."
        raise RequestInvalidError(errors=[FieldProblem(header=HEADER, code="repeated", detail=detail)])
    return spelled if spelled is None else spelled.strip('"')


_BATCH_KEY_LENGTH: Final = 251
"""What the place of a job is put behind has room for it."""


def keys_of_batch(key: str | None, count: int) -> list[str | None]:
    """Return the key of each job of a batch: that of the request, a slash, and the place of the job, from 0.

    Raises:
        RequestInvalidError: it is longer than 251 characters.
    """
    if key is None:
        return [None] * count
    if len(key) > _BATCH_KEY_LENGTH:
        detail = f"Of a batch it has at most {_BATCH_KEY_LENGTH} characters: each job's place is put behind it."
        raise RequestInvalidError(errors=[FieldProblem(header=HEADER, code="too_long", detail=detail)])
    return [f"{key}/{place}" for place in range(count)]


IdempotencyKey = Annotated[str | None, Depends(_idempotency_key)]
"""The key without quotes; None where there is none."""
