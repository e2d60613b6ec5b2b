"""A worker that cannot reach PostgreSQL keeps its messages in the world: nobody has to send them again."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import UUID

import pytest
import redis

from bench.chaos.brokers import lists_of
from cli.stack.postgres import EmbeddedPostgres
from db.roles import Role
from tests.databases import TestTenant, make_tenant
from tests.db.notes import create_notes
from tests.servers.brokers import is_rabbitmq
from tests.site import Site
from tests.waiting import wait_until
from tests.workers import async_probe_tasks, probe_tasks
from tests.workers.conftest import POOLS

JOBS = 6
"""More than the worker has slots, and more than it fetches ahead."""


@pytest.fixture
def pool(request: pytest.FixtureRequest) -> str:
    """Celery's pool."""
    name: str = request.param
    return name


@pytest.fixture
def site(pool: str, postgres: EmbeddedPostgres, tmp_path: Path) -> Iterator[Site]:
    """A dispatcher and a worker that cannot log in, and had connections that are gone."""
    modules = f"{probe_tasks.NAME},{async_probe_tasks.NAME}"
    with Site.running(postgres, tmp_path, task_modules=modules, name=f"away_{pool}") as running:
        create_notes(running.database)
        running.start_all(f"--pool={pool}", "--concurrency=2" if pool != "solo" else "--concurrency=1")
        assert running.run(make_tenant("first"), "probe.idles").state == "succeeded"
        running.database.do(f"alter role {Role.WORKER.login} nologin")
        running.database.ask(
            "select pg_terminate_backend(pid) from pg_stat_activity where usename = :login", login=Role.WORKER.login
        )
        try:
            yield running
        finally:
            come_back(running)


@pytest.fixture
def tenant(site: Site) -> TestTenant:
    """A tenant."""
    return make_tenant("acme")


def come_back(site: Site) -> None:
    site.database.do(f"alter role {Role.WORKER.login} login")


def dispatch_and_kill_dispatcher(site: Site, tenant: TestTenant, task_name: str) -> list[UUID]:
    """Return jobs that the broker was told of. Nobody is left who could tell it again."""
    site.take_for_short(task_name)
    job_ids = [site.enqueue(tenant, task_name) for _ in range(JOBS)]
    # Seen at the worker: a job is marked as dispatched a moment before its message is sent.
    wait_until(lambda: told(site, job_ids), timeout_seconds=60)
    os.kill(site.dispatcher.popen.pid, signal.SIGKILL)
    site.dispatcher.popen.wait()
    before = sum(postponed(site, job_ids))
    wait_until(lambda: sum(postponed(site, job_ids)) > before + JOBS, timeout_seconds=60)
    return job_ids


def told(site: Site, job_ids: list[UUID]) -> bool:
    """Return whether the broker was told of each of them."""
    if is_rabbitmq():
        return min(postponed(site, job_ids)) > 0
    # Not all come round: what is given back is the next to be given out.
    with closing(redis.Redis.from_url(site.broker.url)) as client:
        waiting = sum(client.llen(each) for each in lists_of("default"))
        return waiting + client.hlen("unacked") >= len(job_ids)


def postponed(site: Site, job_ids: list[UUID]) -> list[int]:
    """Return how often each job's message came round in vain."""
    lines = [line for line in site.worker.output().splitlines() if "claim_postponed" in line]
    return [sum(str(job_id) in line for line in lines) for job_id in job_ids]


@pytest.mark.parametrize(
    ("pool", "task_name"),
    [*((pool, "probe.idles") for pool in POOLS), ("prefork", "async_probe.idles")],
    indirect=["pool"],
)
def test_what_could_not_be_claimed_runs_as_soon_as_postgres_is_back(
    site: Site, tenant: TestTenant, task_name: str
) -> None:
    job_ids = dispatch_and_kill_dispatcher(site, tenant, task_name)
    come_back(site)
    back_at = time.monotonic()

    assert {site.wait(tenant, job_id).state for job_id in job_ids} == {"succeeded"}
    assert time.monotonic() - back_at < 8


@pytest.mark.parametrize(
    ("pool", "how"),
    [("prefork", signal.SIGINT), ("prefork", signal.SIGQUIT), ("threads", signal.SIGINT)],
    indirect=["pool"],
)
def test_a_worker_that_is_told_to_stop_meanwhile_leaves_its_messages_to_another(
    site: Site, tenant: TestTenant, how: signal.Signals
) -> None:
    job_ids = dispatch_and_kill_dispatcher(site, tenant, "probe.idles")
    site.worker.popen.send_signal(how)
    site.worker.popen.wait(timeout=15)
    come_back(site)
    site.start_worker("--concurrency=1", name="another").wait_for_line(" ready.", timeout_seconds=60)

    assert {site.wait(tenant, job_id).state for job_id in job_ids} == {"succeeded"}
