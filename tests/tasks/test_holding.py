"""How long a call may keep its message, and what knows it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from celery import shared_task
from pydantic import BaseModel

import celeryconfig
from tasks import Job, holding, task
from tasks.application import TenantCelery
from tasks.errors import CallTooLongError
from tasks.headers import TENANT_HEADER, TOKEN_HEADER
from tasks.holding import UNACKNOWLEDGED_SECONDS, require_short


class Nothing(BaseModel):
    """An empty payload."""


@task("holding.patient", retry_base_seconds=4000)
def patient(job: Job, payload: Nothing) -> None:
    """Wait an hour before it is tried again, which a job may."""


@shared_task(name="holding.plain")
def plain_one() -> None:
    """Know no tenant."""


@contextmanager
def running(task_name: str, **request: Any) -> Iterator[Any]:
    """Be in the body of the task, in a call of a tenant's."""
    with TenantCelery("tests", broker="memory://") as app:
        running_task = app.tasks[task_name]
        headers = {TENANT_HEADER: "acme", TOKEN_HEADER: "pw1"}
        running_task.push_request(id=str(uuid4()), called_directly=False, retries=0, headers=headers, **request)
        try:
            yield running_task
        finally:
            running_task.pop_request()


def test_redis_waits_longer_than_any_call_may_take() -> None:
    transport: dict[str, Any] = celeryconfig.broker_transport_options

    assert transport["visibility_timeout"] == 2 * UNACKNOWLEDGED_SECONDS


@pytest.mark.parametrize("hold", [1.0, 60.0])
def test_a_call_that_is_published_can_also_be_held(hold: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker sends it again with a delay of its own; what was accepted once may not be refused then."""
    monkeypatch.setattr(holding, "_hold_seconds", lambda: hold)
    longest = UNACKNOWLEDGED_SECONDS - 30 - max(hold, holding.AWAY_SECONDS)
    for delay in (0.0, hold, holding.AWAY_SECONDS):
        require_short("x", delay_seconds=delay, options={"time_limit": longest})

    with pytest.raises(CallTooLongError):
        require_short("x", delay_seconds=0, options={"time_limit": longest + 1})


@pytest.mark.parametrize("task_name", ["holding.patient", "holding.plain"])
@pytest.mark.parametrize(
    "delay", [{"countdown": 1771}, {"eta": datetime.now(UTC) + timedelta(hours=1)}], ids=["countdown", "eta"]
)
def test_a_body_is_told_that_its_retry_would_wait_for_too_long(task_name: str, delay: dict[str, Any]) -> None:
    with running(task_name) as body, pytest.raises(CallTooLongError, match="run_at"):
        body.retry(**delay)


def test_so_is_one_whose_usual_delay_is_too_long() -> None:
    with running("holding.patient") as body, pytest.raises(CallTooLongError, match="delay_seconds=4000"):
        body.retry()


def test_a_limit_that_the_call_was_published_with_counts_for_its_retry() -> None:
    with running("holding.plain", timelimit=(1760, None)) as body, pytest.raises(CallTooLongError):
        body.retry(countdown=100)
