"""One API for all these tests, on a database of theirs, with a broker that is never there; tenants are per test."""

import itertools
import socket
from collections.abc import Iterator

import httpx
import pytest

from cli.stack.postgres import EmbeddedPostgres
from tests.api import errands
from tests.api.server import Server, serving
from tests.databases import Database, TestTenant, clone, drop, in_use, make_tenant

FILE_LIMIT_BYTES = 3 * 1024 * 1024
IDLE_SECONDS = 1.0

_numbers = itertools.count(1)


@pytest.fixture(scope="package")
def database(postgres: EmbeddedPostgres) -> Iterator[Database]:
    """A migrated database for this folder: a server that keeps running cannot change databases."""
    made = clone(postgres, "test_api")
    with in_use(made):
        yield made
    drop(made)


@pytest.fixture(scope="package")
def dead_broker() -> Iterator[str]:
    """The address of a port that is taken and where nobody listens."""
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        yield f"redis://127.0.0.1:{unheard.getsockname()[1]}/0"


@pytest.fixture(scope="package")
def settings(database: Database, dead_broker: str) -> dict[str, str]:
    """What the API of these tests is told."""
    return {
        **database.environment,
        "PARTYWALL_BROKER_URL": dead_broker,
        "PARTYWALL_TASK_MODULES": errands.NAME,
        "PARTYWALL_FILE_LIMIT_BYTES": str(FILE_LIMIT_BYTES),
        "PARTYWALL_API_IDLE_SECONDS": str(IDLE_SECONDS),
    }


@pytest.fixture(scope="package")
def server(settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The running API."""
    with serving(settings, tmp_path_factory.mktemp("api")) as running:
        yield running


@pytest.fixture
def acme(database: Database) -> TestTenant:
    """One tenant, new for each test."""
    return make_tenant(f"acme-{next(_numbers)}")


@pytest.fixture
def zeta(database: Database) -> TestTenant:
    """The other tenant, whose things do not exist for acme."""
    return make_tenant(f"zeta-{next(_numbers)}")


@pytest.fixture
def as_acme(server: Server, acme: TestTenant) -> Iterator[httpx.Client]:
    """A client with acme's key."""
    with server.client(acme.key.spell()) as client:
        yield client


@pytest.fixture
def as_zeta(server: Server, zeta: TestTenant) -> Iterator[httpx.Client]:
    """A client with zeta's key."""
    with server.client(zeta.key.spell()) as client:
        yield client


@pytest.fixture
def as_nobody(server: Server) -> Iterator[httpx.Client]:
    """A client without a key."""
    with server.client() as client:
        yield client
