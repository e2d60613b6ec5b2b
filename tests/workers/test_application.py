"""The Celery application, as every part of a process sees it."""

from concurrent.futures import ThreadPoolExecutor

from celery import current_app

from tasks.application import TenantCelery
from workers import app


def test_every_thread_publishes_through_the_application_that_knows_tenants() -> None:
    with ThreadPoolExecutor(1) as executor:
        seen = executor.submit(lambda: current_app.tasks).result()

    assert isinstance(app, TenantCelery)
    assert seen is app.tasks
