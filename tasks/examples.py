"""Payloads that show what a task is for: in the API's description of it, and when `partywall prove` runs it.

    @task("notes.write", examples=[Note(body="hello")])

What a payload refers to may have to be there first. Then the example is a function that sees to it, in a transaction
of the tenant it is asked for, and returns the payload:

    def a_stored_note(session: TenantSession) -> NoteRef:
        note = NoteRow(body="hello")
        session.add(note)
        session.flush()
        return NoteRef(id=note.id)
"""

from collections.abc import Callable, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from db.session import TenantSession
from tasks.errors import TaskDeclarationError

Arrange = Callable[[TenantSession], Any]
"""Puts into the tenant's tables what a payload refers to, and returns the payload."""


def read_examples(task: str, payload: TypeAdapter[Any], examples: Sequence[Any]) -> tuple[Any, ...]:
    """Return the examples as JSON, and those that are functions as they are.

    Raises:
        TaskDeclarationError: one does not fit the task.
    """
    return tuple(_read(task, payload, number, example) for number, example in enumerate(examples, start=1))


def shown(examples: Sequence[Any]) -> list[Any]:
    """Return the examples that can be shown: those that are payloads."""
    return [example for example in examples if not callable(example)]


def _read(task: str, payload: TypeAdapter[Any], number: int, example: Any) -> Any:
    if callable(example):
        return example
    try:
        return payload.dump_python(payload.validate_python(example), mode="json")
    except ValidationError as error:
        wrong = "; ".join(
            f"{'/'.join(map(str, each['loc'])) or 'the whole'}: {each['msg']}"
            for each in error.errors(include_url=False, include_input=False)
        )
        raise TaskDeclarationError(
            f"example {number} does not fit: {wrong}", task=task, hint="Correct the example, or the model."
        ) from None
