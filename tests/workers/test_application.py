"""The Celery application, as every part of a process sees it."""

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
