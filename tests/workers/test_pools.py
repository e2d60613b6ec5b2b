"""Which of Celery's pools a worker starts with, and what ends a body that nothing else can end."""

import os
from collections.abc import Iterator

import pytest

from cli.stack.postgres import EmbeddedPostgres
from tests.databases import make_tenant
from tests.site import Site
from tests.waiting import wait_until
from tests.workers import async_probe_tasks, probe_tasks
from workers.pools import PoolRefusedError, require_pool, require_slots


@pytest.fixture(scope="module")
def site(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A database and a broker without a worker."""
    directory = tmp_path_factory.mktemp("pools")
    modules = f"{probe_tasks.NAME},{async_probe_tasks.NAME}"
    with Site.running(postgres, directory, task_modules=modules, name="pools") as running:
        yield running


def test_a_worker_refuses_the_gevent_pool_in_one_line(site: Site) -> None:
    worker = site.start_worker("--pool=gevent", name="gevent")
    code = wait_until(worker.popen.poll, timeout_seconds=30, what="the worker ends")
    refusals = [line for line in worker.output().splitlines() if "refused_to_start" in line]

    assert code == 78, worker.output()
    assert len(refusals) == 1
    assert "a greenlet cannot be ended at its time limit" in refusals[0]


def test_a_worker_refuses_more_bodies_than_a_process_may_have_in_one_line(site: Site) -> None:
    worker = site.start_worker("--pool=threads", "--concurrency=257", name="crowded")
    code = wait_until(worker.popen.poll, timeout_seconds=30, what="the worker ends")
    refusals = [line for line in worker.output().splitlines() if "refused_to_start" in line]

    assert code == 78, worker.output()
    assert len(refusals) == 1
    assert "a process runs at most 256 bodies at a time" in refusals[0]
    assert require_slots(256) == 256


@pytest.mark.parametrize("chosen", ["gevent", "eventlet", "celery.concurrency.eventlet:TaskPool", "adopter.pool:Pool"])
def test_a_pool_is_refused_without_importing_it(chosen: str) -> None:
    with pytest.raises(PoolRefusedError, match=r"--pool=prefork, --pool=threads or --pool=solo"):
        require_pool(chosen)


@pytest.mark.parametrize("chosen", ["prefork", "processes", "threads", "solo"])
def test_celerys_other_pools_are_taken(chosen: str) -> None:
    assert require_pool(chosen) == {"processes": "prefork"}.get(chosen, chosen)


def test_a_body_that_swallows_every_cancellation_is_killed_with_its_process(site: Site) -> None:
    tenant = make_tenant("acme")
    site.start_all("--pool=prefork", "--concurrency=1")
    first = site.run(tenant, "async_probe.look").result or {}
    stuck = site.enqueue(tenant, "async_probe.never_gives_up")
    running = "select 1 from partywall.jobs where id = :id and state = 'running'"
    wait_until(lambda: site.database.ask(running, id=stuck), timeout_seconds=20)
    second = site.wait(tenant, site.enqueue(tenant, "async_probe.look"), timeout_seconds=40).result or {}

    assert first["process_id"] != second["process_id"]
    assert not os.path.exists(f"/proc/{first['process_id']}")
    # At once, not when its lease ends.
    ended = (
        "select state, jobs.error ->> 'type', outcome from partywall.jobs inner join partywall.attempts on job_id = id"
    )
    assert site.database.ask(f"{ended} where jobs.id = :id", id=stuck) == [("failed", "TimeLimitExceeded", "timed_out")]
