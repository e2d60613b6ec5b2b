"""A proof's site on a database with the adopter's tables of these tests, one for each module."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import pytest

from cli.stack.broker import Broker
from cli.stack.ports import any_free_port
from cli.stack.postgres import EmbeddedPostgres
from db.migrate import migrate
from db.roles import Role
from tasks.proof.runner import Runner
from tasks.proof.site import ProofSite
from tasks.proof.tenants import ProofTenant
from tests.databases import PASSWORD, Database, clone, drop, in_use, let_everybody_lock

SQL = Path(__file__).parent / "sql"


@contextmanager
def proof_database(postgres: EmbeddedPostgres, name: str) -> Iterator[Database]:
    """Make a database with the adopter's tables; every setting points at it while the block runs."""
    made = clone(postgres, f"prove_{name}")
    try:
        with in_use(made, PARTYWALL_APP_SQL_FOLDER=str(SQL)):
            migrate(made.url(Role.MIGRATOR))
            let_everybody_lock(made)
            yield made
    finally:
        drop(made)


@pytest.fixture(scope="module")
def task_module(request: pytest.FixtureRequest) -> str:
    """The module whose tasks the worker has; a test module says which."""
    name: str = request.module.TASKS
    return name


@pytest.fixture(scope="module")
def proven_database(postgres: EmbeddedPostgres, task_module: str) -> Iterator[Database]:
    """The database of the module's site."""
    with proof_database(postgres, task_module.rpartition(".")[2]) as database:
        yield database


@contextmanager
def proof_site_on(database: Database, broker_url: str, task_module: str, directory: Path) -> Iterator[ProofSite]:
    """Run dispatcher and worker, tapped, and watch as a superuser."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARTYWALL_ADMIN_DATABASE_URL", database.admin_url)
        patch.setenv("PARTYWALL_BROKER_URL", broker_url)
        patch.setenv("PARTYWALL_TASK_MODULES", task_module)
        import_module(task_module)
        with ProofSite.running(directory) as site:
            yield site


@pytest.fixture(scope="module")
def own_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker for the module: its worker serves the usual queues, and has them to itself."""
    with Broker(tmp_path_factory.mktemp("broker"), any_free_port(), PASSWORD).running() as running:
        yield running


@pytest.fixture(scope="module")
def proof_site(
    proven_database: Database, own_broker: Broker, task_module: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ProofSite]:
    """The module's system."""
    with proof_site_on(proven_database, own_broker.url, task_module, tmp_path_factory.mktemp("proof")) as site:
        yield site


@pytest.fixture
def runner(proof_site: ProofSite) -> Runner:
    """A runner with two tenants of the test's own."""
    return Runner(proof_site, (ProofTenant.create("A"), ProofTenant.create("B")))
