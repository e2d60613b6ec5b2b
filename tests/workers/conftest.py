"""One running system per pool, shared by the tests of a module: a worker takes seconds to start."""

from collections.abc import Iterator

import pytest

from cli.stack.broker import Broker
from cli.stack.ports import any_free_port
from cli.stack.postgres import EmbeddedPostgres
from db.engine import dispose_engines
from tests.databases import PASSWORD, TestTenant, clone, drop, make_tenant
from tests.site import Site
from tests.workers import probe_tasks

POOLS = ["prefork", "threads"]


@pytest.fixture(scope="module", params=POOLS)
def site(
    request: pytest.FixtureRequest,
    postgres: EmbeddedPostgres,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    """A dispatcher and a worker with one slot, so that every job meets the same pooled connection."""
    pool: str = request.param
    broker = Broker(tmp_path_factory.mktemp(f"broker_{pool}"), any_free_port(), PASSWORD)
    database = clone(postgres, f"site_{pool}")
    with pytest.MonkeyPatch.context() as patch, broker.running():
        for name, value in database.environment.items():
            patch.setenv(name, value)
        dispose_engines()
        directory = tmp_path_factory.mktemp(f"site_{pool}")
        with Site(database, broker, directory, task_modules=probe_tasks.NAME) as running:
            running.start_dispatcher()
            running.worker = running.start_worker(f"--pool={pool}", "--concurrency=1")
            yield running
        dispose_engines()
    drop(database)


@pytest.fixture(scope="module")
def tenant_a(site: Site) -> TestTenant:
    """One tenant."""
    return make_tenant("tenant-a")


@pytest.fixture(scope="module")
def tenant_b(site: Site) -> TestTenant:
    """The other."""
    return make_tenant("tenant-b")
