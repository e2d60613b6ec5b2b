"""Workers and API behind PgBouncer, each version in turn; dispatcher and tests reach PostgreSQL directly."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from cli.stack.postgres import EmbeddedPostgres
from db.roles import Role
from tests.api.server import Server, serving
from tests.databases import TestTenant, let_everybody_lock, make_tenant
from tests.isolation.attacks.poolers import verifiers
from tests.servers.pgbouncer import Pooler, pgbouncer, programs
from tests.site import Site
from tests.workers import probe_tasks


@dataclass(frozen=True)
class PooledSite:
    """A running system whose worker and API share two connections to PostgreSQL each."""

    site: Site
    api: Server
    pooler: Pooler
    tenants: tuple[TestTenant, TestTenant]


@pytest.fixture(scope="module", params=programs())
def pooler(postgres: EmbeddedPostgres, request: pytest.FixtureRequest) -> Iterator[Pooler]:
    """PgBouncer as it is deployed, with two connections for each login."""
    with pgbouncer(postgres, verifiers(postgres), program=request.param, default_pool_size=2) as running:
        yield running


@pytest.fixture(scope="module")
def pooled(
    pooler: Pooler, postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PooledSite]:
    """Worker, API and dispatcher."""
    directory = tmp_path_factory.mktemp("pooled")
    name = f"pooled_{pooler.version.replace('.', '_')}"
    with Site.running(postgres, directory, task_modules=probe_tasks.NAME, name=name) as site:
        let_everybody_lock(site.database)
        for role in (Role.WORKER, Role.API):
            url = pooler.url(site.database.url(role))
            site.environment[f"PARTYWALL_{role.value.upper()}_DATABASE_URL"] = url
        site.start_all("--pool=prefork", "--concurrency=2")
        with serving(site.environment, directory) as api:
            yield PooledSite(site, api, pooler, (make_tenant("tenant-a"), make_tenant("tenant-b")))
