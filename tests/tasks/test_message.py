"""The message: what goes in comes out, and nothing else is taken for one."""

import ast
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.errors import MessageInvalidError
from tasks.message import JobMessage


@given(tenant=st.uuids(), jobs=st.lists(st.uuids(), min_size=1, max_size=5), nonce=st.uuids())
def test_a_message_survives_its_way_through_json(tenant: UUID, jobs: list[UUID], nonce: UUID) -> None:
    message = JobMessage(tenant_id=tenant, job_ids=tuple(jobs), nonce=nonce)

    assert JobMessage.parse((), message.kwargs()) == message


@given(jobs=st.lists(st.uuids(), min_size=1, max_size=3), nonce=st.uuids())
def test_what_flower_shows_is_a_literal_with_tenant_and_job_and_no_nonce(jobs: list[UUID], nonce: UUID) -> None:
    shown = JobMessage(tenant_id=nonce, job_ids=tuple(jobs), nonce=nonce).shown_as("acme")

    assert ast.literal_eval(shown)["tenant"] == "acme"
    assert str(jobs[0]) in shown
    assert str(nonce) not in shown or nonce in jobs


@given(
    st.dictionaries(
        st.sampled_from(["tenant_id", "job_ids", "nonce", "x"]),
        st.none() | st.text() | st.integers() | st.lists(st.text(), max_size=2),
    )
)
def test_anything_else_is_refused_and_not_quoted(kwargs: dict[str, Any]) -> None:
    with pytest.raises(MessageInvalidError) as refused:
        JobMessage.parse((), kwargs)

    assert all(
        value not in str(refused.value) for value in kwargs.values() if isinstance(value, str) and len(value) > 9
    )
