"""Declaring a task, and what its declaration refuses."""

import asyncio
from datetime import date
from typing import Any

import pytest
from pydantic import BaseModel, Field

from tasks import AsyncJob, Job, registry, task
from tasks.declaration import TaskDeclaration
from tasks.errors import PayloadInvalidError, TaskDeclarationError, UnknownTaskError
from tasks.retrying import RetryPolicy


class Line(BaseModel):
    """Part of a payload."""

    sku: str
    quantity: int = Field(ge=1)


class Order(BaseModel):
    """A payload with a list in it."""

    day: date
    lines: list[Line]
    note: str = "none"


def declare(body: Any, name: str = "tests.anything", **options: Any) -> TaskDeclaration:
    return TaskDeclaration.of(
        body, name=name, queue="default", retry=RetryPolicy(), time_limit_seconds=1, tenantless=False, **options
    )


def take(job: Job, payload: Order) -> None:
    """Take an order.

    More words.
    """


def test_a_payload_is_read_as_its_model_and_kept_as_json_with_defaults() -> None:
    declaration = declare(take)
    kept = declaration.validate_payload({"day": "2026-11-23", "lines": [{"sku": "a", "quantity": "2"}]})

    assert kept == {"day": "2026-11-23", "lines": [{"sku": "a", "quantity": 2}], "note": "none"}
    assert declaration.description == "Take an order."
    assert declaration.payload_schema()["required"] == ["day", "lines"]


def test_everything_wrong_with_a_payload_is_told_at_once_with_pointers() -> None:
    with pytest.raises(PayloadInvalidError) as refused:
        declare(take).validate_payload({"day": "never", "lines": [{"quantity": 0}]})

    assert {error.pointer for error in refused.value.errors} == {"/day", "/lines/0/sku", "/lines/0/quantity"}
    assert all(error.code and error.detail for error in refused.value.errors)


def test_a_refused_payload_is_not_quoted() -> None:
    with pytest.raises(PayloadInvalidError) as refused:
        declare(take).validate_payload({"day": "my secret", "lines": "my secret"})

    assert "my secret" not in str(refused.value)


def without_annotations(job, payload):  # type: ignore[no-untyped-def]
    """Lack what a declaration is read from."""


def without_payload(job: Job) -> None:
    """Lack a parameter."""


@pytest.mark.parametrize("body", [without_annotations, without_payload])
def test_a_body_of_another_form_is_refused_where_it_is_written(body: Any) -> None:
    with pytest.raises(TaskDeclarationError, match=r"def body\(job: Job, payload: Model\)"):
        declare(body)


def test_two_modules_cannot_have_tasks_of_one_name() -> None:
    registry.declare(declare(take, "tests.unique"), module="one")

    with pytest.raises(TaskDeclarationError, match="same name"):
        registry.declare(declare(take, "tests.unique"), module="another")


def test_an_unknown_task_is_refused_by_name() -> None:
    with pytest.raises(UnknownTaskError, match=r"tests\.nothing"):
        registry.declaration("tests.nothing")


def test_called_as_a_function_a_task_is_its_body() -> None:
    @task("tests.called_directly")
    def double(job: Job, payload: Line) -> int:
        """Double it."""
        return payload.quantity * 2

    assert double(None, Line(sku="a", quantity=21)) == 42


async def awaits(job: AsyncJob, payload: Line) -> int:
    """Take what can be awaited."""
    return payload.quantity


async def awaits_a_job(job: Job, payload: Line) -> int:
    """Take what cannot be awaited."""
    return payload.quantity


def takes_an_async_job(job: AsyncJob, payload: Line) -> int:
    """Take what would have to be awaited."""
    return payload.quantity


async def yields(job: AsyncJob, payload: Line) -> Any:
    """Yield."""
    yield payload.quantity


def yields_at_once(job: Job, payload: Line) -> Any:
    """Yield."""
    yield payload.quantity


async def tenantless() -> None:
    """Do without a tenant."""


def test_an_async_body_is_told_from_another() -> None:
    assert (declare(awaits).is_async, declare(take).is_async) == (True, False)


@pytest.mark.parametrize(
    ("body", "options", "why"),
    [
        (awaits_a_job, {}, "an async def body takes an AsyncJob"),
        (takes_an_async_job, {}, "a body that is not async takes a Job"),
        (yields, {}, "a body with a yield never begins"),
        (yields_at_once, {}, "a body with a yield never begins"),
        (tenantless, {"tenantless": True}, "a tenantless task cannot be async def"),
        (awaits, {"autoretry_for": (ValueError,)}, "autoretry_for sees what a body raises when it is called"),
    ],
    ids=["async with a Job", "def with an AsyncJob", "async generator", "generator", "tenantless", "autoretry"],
)
def test_a_body_that_nobody_could_run_is_refused_where_it_is_written(
    body: Any, options: dict[str, Any], why: str
) -> None:
    with pytest.raises(TaskDeclarationError, match=why):
        task("tests.refused", **options)(body)


def test_called_as_a_function_an_async_task_is_its_coroutine() -> None:
    declared = task("tests.awaited_directly")(awaits)

    assert asyncio.run(declared(None, Line(sku="a", quantity=42))) == 42
