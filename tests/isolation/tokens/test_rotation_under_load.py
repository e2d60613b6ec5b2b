"""A signing key is rotated and the old one retired while jobs are accepted and run: nobody notices."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest

from cli.stack.postgres import EmbeddedPostgres
from db.credentials import authenticate
from db.roles import Role
from db.session import platform_connection, tenant_session
from tasks import producing
from tests.databases import TestTenant, let_everybody_lock, make_tenant
from tests.site import ROOT, Site
from tests.waiting import wait_until
from tests.workers import probe_tasks


@pytest.fixture(scope="module")
def site(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A dispatcher and a worker with two slots."""
    directory = tmp_path_factory.mktemp("rotation")
    with Site.running(postgres, directory, task_modules=probe_tasks.NAME, name="rotation") as running:
        let_everybody_lock(running.database)
        running.start_all("--pool=threads", "--concurrency=2")
        yield running


class Load:
    """Two tenants that go on enqueueing, each request with a context of its own, as the API makes them."""

    def __init__(self, tenants: tuple[TestTenant, ...]) -> None:
        self._tenants = tenants
        self._stopping = threading.Event()
        self.accepted: list[tuple[TestTenant, UUID]] = []
        self.failed: list[BaseException] = []

    @contextmanager
    def going_on(self) -> Iterator["Load"]:
        producer = threading.Thread(target=self._produce)
        producer.start()
        try:
            yield self
        finally:
            self._stopping.set()
            producer.join()

    def _produce(self) -> None:
        while not self._stopping.wait(0.05):
            for tenant in self._tenants:
                try:
                    self.accepted.append((tenant, self._enqueue(tenant)))
                except Exception as error:  # noqa: BLE001 - whatever a producer meets is what the test is about
                    self.failed.append(error)

    def _enqueue(self, tenant: TestTenant) -> UUID:
        with platform_connection(Role.API) as connection:
            context = authenticate(connection, tenant.key).context
        with tenant_session(context, role=Role.API) as session:
            return producing.enqueue(session, "probe.commits", {})


def partywall(site: Site, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", "from cli.main import app; app()", *arguments],
        cwd=ROOT,
        env=os.environ | site.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_jobs_are_accepted_and_run_all_the_while(site: Site, tmp_path: Path) -> None:
    tenants = (make_tenant("tenant-a"), make_tenant("tenant-b"))

    def started_since(moment: object) -> int:
        ((count,),) = site.database.ask("select count(*) from partywall.jobs where started_at > :moment", moment=moment)
        return int(str(count))

    def running_from_before(moment: object) -> bool:
        asked = "select count(*) from partywall.jobs where state = 'running' and started_at <= :moment"
        return site.database.ask(asked, moment=moment) != [(0,)]

    with Load(tenants).going_on() as load:
        wait_until(lambda: len(load.accepted) > 10, timeout_seconds=30)
        newest = json.loads(partywall(site, "keys", "rotate-signing", "--json"))["id"]
        ((rotated_at,),) = site.database.ask("select now()")
        # The old key's tokens are those of attempts that run: once they are over, nobody holds one.
        wait_until(lambda: started_since(rotated_at) > 5, timeout_seconds=60)
        wait_until(lambda: not running_from_before(rotated_at), timeout_seconds=60)
        partywall(site, "keys", "retire-signing", str(newest - 1))
        ((retired_at,),) = site.database.ask("select now()")
        wait_until(lambda: started_since(retired_at) > 5, timeout_seconds=60)

    jobs = [site.wait(make_fresh(tenant), job_id) for tenant, job_id in load.accepted]
    assert load.failed == []
    assert {(job.state, job.attempt) for job in jobs} == {("succeeded", 1)}
    assert "pw1." not in site.worker.output() + site.dispatcher.output()


def make_fresh(tenant: TestTenant) -> TestTenant:
    """Return the tenant with a context that the newest key signed."""
    with platform_connection(Role.API) as connection:
        return TestTenant(tenant.id, tenant.slug, tenant.key, authenticate(connection, tenant.key).context)
