"""What a task is run with: its examples, or payloads made from the schema of its model."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from db.errors import PartywallError
from tasks.declaration import TaskDeclaration
from tasks.errors import PayloadInvalidError
from tasks.proof.marks import ID_PLACEHOLDER, PLACEHOLDER, MarkBook

TRIES_PER_PAYLOAD = 10
WHERE = "the payload"
"""What a mark in a payload is a value of."""


class HypothesisMissingError(PartywallError):
    """Payloads cannot be made."""


def payloads_for(declaration: TaskDeclaration, *, count: int, seed: int) -> list[Any]:
    """Return at most `count` different payloads, as JSON or as functions that make one: see `tasks/examples.py`.

    The same seed gives the same payloads. Empty: the model takes nothing that its schema allows.

    Raises:
        HypothesisMissingError: there are no examples, and nothing to make payloads with.
    """
    if declaration.examples:
        return list(declaration.examples[:count])
    return _made(declaration, count=count, seed=seed)


def with_marks(payload: Any, book: MarkBook, owner: UUID) -> Any:
    """Return a payload with a new mark of the tenant wherever there is a place for one."""
    match payload:
        case str() if ID_PLACEHOLDER in payload:
            mark = book.make(owner, WHERE, is_data=False)
            return payload.replace(ID_PLACEHOLDER, str(UUID(mark)))
        case str():
            return payload.replace(PLACEHOLDER, book.make(owner, WHERE)) if PLACEHOLDER in payload else payload
        case list():
            return [with_marks(each, book, owner) for each in payload]
        case dict():
            return {name: with_marks(each, book, owner) for name, each in payload.items()}
        case _:
            return payload


def spellings(payload: Any) -> list[str]:
    """Return how a payload looks where somebody printed all of it; nothing for one that says nothing.

    One that only names rows, by their UUIDs, says nothing: such ids are what may travel.
    """
    if len(repr(payload)) < len('{"a": "b"}') or all(_is_id(each) for each in _values(payload)):
        return []
    return [json.dumps(payload), json.dumps(payload, separators=(",", ":")), repr(payload)]


def _values(payload: Any) -> Iterator[Any]:
    match payload:
        case list():
            for each in payload:
                yield from _values(each)
        case dict():
            for each in payload.values():
                yield from _values(each)
        case _:
            yield payload


def _is_id(value: Any) -> bool:
    try:
        return isinstance(value, str) and str(UUID(value)) == value
    except ValueError:
        return False


def _made(declaration: TaskDeclaration, *, count: int, seed: int) -> list[Any]:
    try:
        import hypothesis
        from hypothesis import errors

        from tasks.proof.hypothesis_home import temporary_home
        from tasks.proof.strategies import payloads_of
    except ImportError:
        raise HypothesisMissingError(
            task=declaration.name,
            hint="Install the extra `prove`, or give the task examples: @task(..., examples=[...]).",
        ) from None

    found: dict[str, Any] = {}

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=count * TRIES_PER_PAYLOAD,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
        database=None,
        deadline=None,
    )
    @hypothesis.given(payloads_of(declaration.payload_schema()))
    def collect(payload: Any) -> None:
        if len(found) < count:
            try:
                kept = declaration.validate_payload(payload)
            except PayloadInvalidError:
                # What a validator of the model's own refuses, the schema does not tell.
                return
            found.setdefault(json.dumps(kept, sort_keys=True), kept)

    try:
        with temporary_home():
            collect()
    except errors.Unsatisfiable:
        return []
    return list(found.values())
