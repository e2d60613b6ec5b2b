"""A proof's site on a database with the adopter's tables of these tests, one for each module."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path

import pytest

from cli.stack.broker import Broker
from cli.stack.postgres import EmbeddedPostgres
from db.engine import dispose_engines
from db.migrate import migrate
from db.roles import Role
from tasks.proof.runner import Runner
from tasks.proof.site import ProofSite
from tasks.proof.tenants import ProofTenant
from tests.databases import Database, clone, drop

SQL = Path(__file__).parent / "sql"


@contextmanager
def proof_database(postgres: EmbeddedPostgres, name: str) -> Iterator[Database]:
    """Make a database with the adopter's tables; every setting points at it while the block runs."""
    made = clone(postgres, f"prove_{name}")
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in made.environment.items():
            patch.setenv(variable, value)
        patch.setenv("PARTYWALL_APP_SQL_FOLDER", str(SQL))
        migrate(made.url(Role.MIGRATOR))
        dispose_engines()
        try:
            yield made
        finally:
            dispose_engines()
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


@pytest.fixture(scope="module")
def proof_site(
    proven_database: Database, broker: Broker, task_module: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ProofSite]:
    """Dispatcher and worker, tapped. Watched by a superuser."""
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("PARTYWALL_ADMIN_DATABASE_URL", proven_database.admin_url)
        patch.setenv("PARTYWALL_BROKER_URL", broker.url)
        patch.setenv("PARTYWALL_TASK_MODULES", task_module)
        import_module(task_module)
        yield stack.enter_context(ProofSite.running(tmp_path_factory.mktemp("proof")))


NewRunner = Callable[[], Runner]


@pytest.fixture
def runner(proof_site: ProofSite) -> Runner:
    """A runner with two tenants of the test's own."""
    return Runner(proof_site, (ProofTenant.create("A"), ProofTenant.create("B")))
