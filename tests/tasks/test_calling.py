"""A call's payload, and what is told of one that fails."""

from collections.abc import Mapping
from typing import Any

import pytest
from celery.exceptions import Retry
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, field_validator

from tasks import Job, registry, task
from tasks.calling import payload_of
from tasks.discretion import failure_of, place_of, retry_without_text
from tasks.errors import CallArgumentsError, PayloadInvalidError

SECRET = "what only the tenant may read"

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
KEYWORDS = st.dictionaries(st.text(min_size=1), JSON, max_size=4)


@given(JSON)
def test_one_argument_is_the_payload_whatever_it_is(payload: Any) -> None:
    assert payload_of("x", (payload,), {}) == payload


@given(KEYWORDS)
def test_keywords_alone_are_the_payload(keywords: dict[str, Any]) -> None:
    assert payload_of("x", (), keywords) == keywords


@given(KEYWORDS, KEYWORDS.filter(bool))
def test_keywords_go_on_top_of_the_result_before(result: dict[str, Any], keywords: dict[str, Any]) -> None:
    before = dict(result)
    payload = payload_of("x", (result,), keywords)

    assert payload == {**result, **keywords}
    assert result == before


@given(JSON.filter(lambda value: not isinstance(value, Mapping)), KEYWORDS.filter(bool))
def test_keywords_have_nothing_to_go_on_top_of(result: Any, keywords: dict[str, Any]) -> None:
    with pytest.raises(CallArgumentsError):
        payload_of("x", (result,), keywords)


@given(st.lists(JSON, min_size=2, max_size=4), KEYWORDS)
def test_several_arguments_are_refused_and_not_quoted(args: list[Any], keywords: dict[str, Any]) -> None:
    with pytest.raises(CallArgumentsError) as refused:
        payload_of("x", tuple(args), {**keywords, SECRET: SECRET})

    assert SECRET not in str(refused.value)


class Choosy(BaseModel):
    """A payload whose check quotes what it does not like."""

    body: str

    @field_validator("body")
    @classmethod
    def _like(cls, body: str) -> str:
        raise ValueError(f"cannot like {body}")


@task("calling.choosy")
def choosy(job: Job, payload: dict[str, Choosy]) -> None:
    """Never get this far."""


def test_a_refused_payload_tells_what_kind_of_thing_is_wrong_and_quotes_nothing() -> None:
    with pytest.raises(PayloadInvalidError) as refused:
        registry.declaration("calling.choosy").read_payload({SECRET: {"body": SECRET}})
    told = refused.value.without_text()

    assert SECRET in str(refused.value)
    assert SECRET not in f"{told} {told!r} {told.facts} {told.errors}"
    assert told.facts == {"wrong": ["value_error"], "task": "calling.choosy"}


def test_a_failure_tells_the_errors_class_and_where_it_was_raised() -> None:
    def body() -> None:
        raise ValueError(SECRET)

    with pytest.raises(ValueError, match=SECRET) as raised:
        body()
    told = failure_of(raised.value, task="x", call="y")

    assert "ValueError" in str(told)
    assert SECRET not in f"{told} {told!r} {told.facts} {place_of(raised.value)}"
    assert place_of(raised.value)[-1].endswith("in body")


def test_a_retry_keeps_its_moment_and_loses_its_text() -> None:
    retry = Retry(SECRET, exc=ValueError(SECRET), when=7)  # type: ignore[arg-type]
    told: Any = retry_without_text(retry, task="x", call="y")

    assert (told.when, type(told.exc).__name__) == (7, "CallFailedError")
    assert SECRET not in f"{told} {told!r}"
