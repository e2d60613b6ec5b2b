"""Examples of a task: checked when it is declared, shown with its schema."""

from typing import Any

import pytest
from pydantic import BaseModel, Field

from db.session import TenantSession
from tasks import Job, registry
from tasks.declaration import TaskDeclaration
from tasks.errors import TaskDeclarationError
from tasks.retrying import RetryPolicy


class Line(BaseModel):
    """A payload."""

    sku: str
    quantity: int = Field(1, ge=1)


def take(job: Job, payload: Line) -> None:
    """Take a line."""


def arrange(session: TenantSession) -> Line:
    return Line(sku="arranged")


def declare(*examples: Any) -> TaskDeclaration:
    return TaskDeclaration.of(
        take,
        name="tests.line",
        queue="default",
        retry=RetryPolicy(),
        time_limit_seconds=1,
        tenantless=False,
        examples=examples,
    )


def test_examples_are_kept_as_json_and_shown_with_the_schema() -> None:
    declaration = declare(Line(sku="a"), {"sku": "b", "quantity": "2"})

    assert declaration.examples == ({"sku": "a", "quantity": 1}, {"sku": "b", "quantity": 2})
    assert declaration.payload_schema()["examples"] == [{"sku": "a", "quantity": 1}, {"sku": "b", "quantity": 2}]


def test_an_example_that_has_to_be_arranged_is_kept_and_not_shown() -> None:
    declaration = declare(arrange)

    assert declaration.examples == (arrange,)
    assert "examples" not in declaration.payload_schema()


def test_an_example_that_does_not_fit_is_refused_when_the_task_is_declared() -> None:
    with pytest.raises(TaskDeclarationError, match=r"example 2 does not fit: quantity: .* \(task=tests.line\)"):
        declare({"sku": "a"}, {"sku": "b", "quantity": 0})


def test_the_example_of_an_import_stores_a_file_and_names_it() -> None:
    registry.load()

    assert callable(registry.declaration("orders.import_csv").examples[0])
