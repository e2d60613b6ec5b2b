"""Dispatcher and reaper as processes that die, and whose neighbours die."""

import os
import signal
import time

import pytest
import redis

from db.roles import Role
from db.session import platform_connection
from db.tenants import resume_tenant, suspend_tenant
from tests.databases import TestTenant, make_tenant
from tests.site import Site
from tests.waiting import wait_until
from workers.reaper import Reaper

pytestmark = pytest.mark.delivery

JOBS = 30
"""As many as are handed to the broker at once, when they are known to be short."""


@pytest.fixture(scope="module")
def tenant(site: Site) -> TestTenant:
    """Whose jobs they are."""
    return make_tenant("survivor")


def test_a_standby_takes_over_within_two_seconds_of_the_leaders_death(site: Site, tenant: TestTenant) -> None:
    standby = site.start_dispatcher("standby")
    standby.wait_for_line("agent_started")
    os.kill(site.dispatcher.popen.pid, signal.SIGKILL)
    site.dispatcher = standby
    killed_at = time.monotonic()

    assert site.run(tenant, "probe.idles").state == "succeeded"
    assert time.monotonic() - killed_at < 4


def test_a_standby_takes_over_from_a_leader_that_stands_still(site: Site, tenant: TestTenant) -> None:
    leader, standby = site.dispatcher, site.start_dispatcher("third")
    standby.wait_for_line("agent_started")
    os.kill(leader.popen.pid, signal.SIGSTOP)
    stopped_at = time.monotonic()
    try:
        assert site.run(tenant, "probe.idles").state == "succeeded"
        assert time.monotonic() - stopped_at < 4
    finally:
        os.kill(leader.popen.pid, signal.SIGCONT)
    site.dispatcher = standby

    # Awake again, it may act once on its old belief: no job is sent by both.
    assert site.run(tenant, "probe.idles").attempt == 1
    leader.wait_for_line("dispatcher_stands_by")


@pytest.mark.of_redis
def test_what_an_emptied_broker_lost_is_sent_again_within_seconds(site: Site, tenant: TestTenant) -> None:
    os.kill(site.worker.popen.pid, signal.SIGSTOP)
    try:
        site.take_for_short("probe.idles")
        job_ids = [site.enqueue(tenant, "probe.idles") for _ in range(JOBS)]
        waiting = "select count(*) from partywall.jobs where state = 'dispatched'"
        wait_until(lambda: site.database.ask(waiting) == [(JOBS,)], timeout_seconds=20)
        redis.Redis.from_url(site.broker.url).flushall()
    finally:
        os.kill(site.worker.popen.pid, signal.SIGCONT)
    emptied_at = time.monotonic()

    assert {site.wait(tenant, job_id).state for job_id in job_ids} == {"succeeded"}
    # 30 seconds is how long a message is waited for of which nobody can tell that it is lost.
    assert time.monotonic() - emptied_at < 20


def test_jobs_wait_for_a_broker_that_is_gone_and_run_when_it_is_back(site: Site, tenant: TestTenant) -> None:
    with site.without_broker():
        job_id = site.enqueue(tenant, "probe.idles")
        # Of those that live, on a busy machine either may lead.
        logs = [site.directory / f"{name}.log" for name in ("standby", "third")]
        wait_until(lambda: any("broker_unavailable" in log.read_text() for log in logs), timeout_seconds=20)

        # What the broker refused is taken back a moment after that is told, and tried again every second.
        state = "select state from partywall.jobs where id = :id"
        wait_until(lambda: site.database.ask(state, id=job_id) == [("queued",)], timeout_seconds=20)

    assert site.wait(tenant, job_id, timeout_seconds=60).state == "succeeded"


def test_agents_and_workers_outlive_every_connection_they_had(site: Site, tenant: TestTenant) -> None:
    others = "select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    pids = [pid for (pid,) in site.database.ask(others)]
    assert len(pids) >= 3
    site.database.ask("select pg_terminate_backend(pid) from unnest(cast(:pids as integer[])) as pid", pids=pids)
    # Terminating is asked for, not done, when the function returns.
    left = "select count(*) from pg_stat_activity where pid = any(:pids)"
    wait_until(lambda: site.database.ask(left, pids=pids) == [(0,)], timeout_seconds=10)

    assert site.run(tenant, "probe.idles").state == "succeeded"


def test_a_suspended_tenants_jobs_wait_and_run_after_it_is_resumed(site: Site, tenant: TestTenant) -> None:
    other = make_tenant("bystander")
    job_id = site.enqueue(tenant, "probe.idles")
    site.wait(tenant, job_id)
    with platform_connection(Role.OPERATOR) as connection:
        waiting = site.enqueue_later(tenant, "probe.idles")
        suspend_tenant(connection, "survivor")
        site.database.do("update partywall.jobs set run_at = now() where id = :id", id=waiting)
        site.run(other, "probe.idles")

        assert site.database.ask("select state from partywall.jobs where id = :id", id=waiting) == [("queued",)]

        resume_tenant(connection, "survivor")

    assert site.wait(tenant, waiting).state == "succeeded"


def test_a_job_whose_worker_was_killed_runs_again_once_its_lease_is_over(site: Site, tenant: TestTenant) -> None:
    job_id = site.enqueue(tenant, "probe.hangs_once")
    wait_until(
        lambda: site.database.ask("select 1 from partywall.jobs where id = :id and state = 'running'", id=job_id),
        timeout_seconds=20,
    )
    os.killpg(site.worker.popen.pid, signal.SIGKILL)
    assert Reaper().run_once() == 0
    site.database.do("update partywall.jobs set lease_expires_at = now() where id = :id", id=job_id)
    assert Reaper().run_once() == 1
    site.start_worker("--pool=prefork", "--concurrency=1", name="second")
    job = site.wait(tenant, job_id, timeout_seconds=60)

    assert (job.state, job.attempt) == ("succeeded", 2)
