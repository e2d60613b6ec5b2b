"""Who publishes: the thread that entered a tenant's context, while it is in there, and nobody else."""

import asyncio
import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest

from db.context import TenantContext
from tasks.publisher import current_publisher, publishing_as


def context_of(tenant_id: UUID) -> TenantContext:
    return TenantContext(tenant_id=tenant_id, token="not looked at here")


def publisher() -> UUID | None:
    """Return the tenant that this thread publishes as."""
    found = current_publisher()
    return None if found is None else found.context.tenant_id


A, B = context_of(uuid4()), context_of(uuid4())


def test_nobody_publishes_outside_a_context() -> None:
    assert publisher() is None
    with publishing_as(A):
        assert publisher() == A.tenant_id
    assert publisher() is None


def test_the_context_before_comes_back() -> None:
    with publishing_as(A):
        with publishing_as(B):
            assert publisher() == B.tenant_id
        assert publisher() == A.tenant_id


def test_an_error_leaves_the_context() -> None:
    with pytest.raises(RuntimeError), publishing_as(A):
        raise RuntimeError

    assert publisher() is None


def in_a_thread(ask: Callable[[], UUID | None]) -> UUID | None:
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(ask).result()


def in_a_bare_thread(ask: Callable[[], UUID | None]) -> UUID | None:
    answers: list[UUID | None] = []
    thread = threading.Thread(target=lambda: answers.append(ask()))
    thread.start()
    thread.join()
    return answers[0]


def in_a_thread_with_a_copy(ask: Callable[[], UUID | None]) -> UUID | None:
    copy = contextvars.copy_context()
    return in_a_thread(lambda: copy.run(ask))


ELSEWHERE: dict[str, Callable[[Callable[[], UUID | None]], UUID | None]] = {
    "a thread": in_a_bare_thread,
    "an executor": in_a_thread,
    "an executor with a copied context": in_a_thread_with_a_copy,
    "asyncio.to_thread": lambda ask: asyncio.run(asyncio.to_thread(ask)),
}


@pytest.mark.parametrize("where", ELSEWHERE)
def test_a_thread_that_is_started_inside_does_not_publish_as_the_tenant(where: str) -> None:
    with publishing_as(A):
        assert ELSEWHERE[where](publisher) is None


@pytest.mark.parametrize("where", ELSEWHERE)
def test_it_does_when_it_enters_the_context_itself(where: str) -> None:
    def enter() -> UUID | None:
        with publishing_as(B):
            return publisher()

    with publishing_as(A):
        assert ELSEWHERE[where](enter) == B.tenant_id
        assert publisher() == A.tenant_id


def test_a_copy_of_the_context_ends_with_it_in_the_same_thread_too() -> None:
    with publishing_as(A):
        kept = contextvars.copy_context()
        assert kept.run(publisher) == A.tenant_id
    with publishing_as(B):
        # The next body, another tenant's, on the same thread.
        assert kept.run(publisher) is None
        assert publisher() == B.tenant_id


def test_flower_shows_the_id_where_no_slug_is_at_hand() -> None:
    for label in (None, "acme"):
        with publishing_as(A, label=label):
            found = current_publisher()
            assert found is not None
            assert found.label == (label or str(A.tenant_id))
