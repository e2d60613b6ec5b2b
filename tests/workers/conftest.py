"""One running system per pool, shared by the tests of a module: a worker takes seconds to start."""

from collections.abc import Iterator

import pytest

from cli.stack.postgres import EmbeddedPostgres
from tests.databases import TestTenant, let_everybody_lock, make_tenant
from tests.db.notes import create_notes
from tests.site import Site
from tests.workers import async_probe_tasks, probe_tasks

POOLS = ["prefork", "threads", "solo"]
"""Every pool that a worker may have."""


@pytest.fixture(scope="module", params=["prefork"])
def pool(request: pytest.FixtureRequest) -> str:
    """Celery's pool. A module that must hold for others too says so."""
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def site(pool: str, postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A dispatcher and a worker with one slot, so that every job meets the same pooled connection."""
    directory = tmp_path_factory.mktemp(f"site_{pool}")
    modules = f"{probe_tasks.NAME},{async_probe_tasks.NAME}"
    with Site.running(postgres, directory, task_modules=modules, name=pool) as running:
        create_notes(running.database)
        let_everybody_lock(running.database)
        running.start_all(f"--pool={pool}", "--concurrency=1")
        yield running


@pytest.fixture(scope="module")
def tenant_a(site: Site) -> TestTenant:
    """One tenant."""
    return make_tenant("tenant-a")


@pytest.fixture(scope="module")
def tenant_b(site: Site) -> TestTenant:
    """The other."""
    return make_tenant("tenant-b")
