"""The Celery application, as every part of a process sees it."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from celery import current_app

from tasks.application import TenantCelery
from workers import app


def test_every_thread_publishes_through_the_application_that_knows_tenants() -> None:
    with ThreadPoolExecutor(1) as executor:
        seen = executor.submit(lambda: current_app.tasks).result()

    assert isinstance(app, TenantCelery)
    assert seen is app.tasks


def test_a_process_that_imported_no_task_cannot_publish_a_tenants_task_by_name_without_its_tenant() -> None:
    publish = "from workers import app; app.send_task('maintenance.prune_jobs')"
    ended = subprocess.run([sys.executable, "-c", publish], capture_output=True, text=True, timeout=60, check=False)

    assert ended.returncode == 1
    assert "NoTenantError" in ended.stderr


def test_a_chord_is_refused_where_it_is_published_while_results_have_no_place() -> None:
    publish = (
        "from workers import app; from celery import chord, signature as of;"
        " chord([of('celery.accumulate', app=app)], of('celery.accumulate', app=app)).delay()"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PARTYWALL_")}
    ended = subprocess.run(
        [sys.executable, "-c", publish],
        env=environment | {"PARTYWALL_HOME": "no-home"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 1
    assert "ResultBackendMissingError" in ended.stderr
    assert "PARTYWALL_RESULT_BACKEND_URL" in ended.stderr
