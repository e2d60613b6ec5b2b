"""Every call waits its turn at the broker, however it is published and whatever was asked for."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celery import chain, shared_task

from tasks.application import TenantCelery
from tasks.urgency import IN_TURN


@shared_task(name="urgency.plain")
def plain_one() -> None:
    """Know no tenant."""


@pytest.fixture
def app() -> Iterator[TenantCelery]:
    """An application with a broker in this process."""
    with TenantCelery("tests", broker="memory://") as app:
        app.conf.task_ignore_result = True
        app.finalize()
        yield app


def next_priority(app: TenantCelery) -> object:
    with app.connection_for_read() as connection, connection.SimpleQueue("celery") as queue:
        message = queue.get(timeout=5)
        message.ack()
        return message.properties["priority"]


PUBLISHED: dict[str, Callable[[TenantCelery], Any]] = {
    "delay": lambda app: app.tasks["urgency.plain"].delay(),
    "apply_async": lambda app: app.tasks["urgency.plain"].apply_async(),
    "with a priority": lambda app: app.tasks["urgency.plain"].apply_async(priority=0),
    "a signature": lambda app: app.tasks["urgency.plain"].si().apply_async(),
    "a chain": lambda app: chain(app.tasks["urgency.plain"].si(), app.tasks["urgency.plain"].si()).apply_async(),
    "by name": lambda app: app.send_task("urgency.plain"),
    "by name, with a priority": lambda app: app.send_task("urgency.plain", priority=0),
}


@pytest.mark.parametrize("way", PUBLISHED)
def test_no_call_overtakes(way: str, app: TenantCelery) -> None:
    PUBLISHED[way](app)

    assert next_priority(app) == IN_TURN
