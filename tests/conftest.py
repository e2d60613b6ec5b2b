"""Fixtures every test may use: a real PostgreSQL, a real broker, a database and two tenants of its own."""

import itertools
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from celery import Celery, current_app
from hypothesis import HealthCheck, settings

from cli.stack.broker import Broker
from cli.stack.ports import any_free_port
from cli.stack.postgres import EmbeddedPostgres
from tests.databases import PASSWORD, Database, TestTenant, clone, drop, in_use_by, make_template, make_tenant

_numbers = itertools.count(1)

for _name in [name for name in os.environ if name.startswith("PARTYWALL_")]:
    # A developer's own settings must not reach a test.
    if _name not in ("PARTYWALL_POSTGRES_VERSION", "PARTYWALL_BROKER_KIND"):
        del os.environ[_name]


# How long an example takes is a property of who else is on the machine. What never ends is for pytest-timeout.
settings.register_profile("partywall", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("partywall")


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """One PostgreSQL server for the whole run."""
    # Not in pytest's own folder: every run closes that to other users, and root's PostgreSQL runs as one.
    with tempfile.TemporaryDirectory(prefix="partywall-tests-") as directory:
        server = EmbeddedPostgres(Path(directory) / "data", any_free_port(), PASSWORD, durable=False)
        server.initialise()
        with server.running():
            make_template(server)
            yield server


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """One broker for the whole run; tests that share it use queues of their own."""
    server = Broker(tmp_path_factory.mktemp("broker"), any_free_port(), PASSWORD)
    server.initialise()
    with server.running():
        yield server


@pytest.fixture(autouse=True)
def _away_from_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads the developer's `.partywall/`."""
    monkeypatch.setenv("PARTYWALL_HOME", str(tmp_path_factory.getbasetemp() / "no-home"))


@pytest.fixture(autouse=True)
def _application_of_before() -> Iterator[None]:
    """No test leaves an application behind: a task is looked up in the current one, wherever it was declared."""
    before: Celery = current_app._get_current_object()  # type: ignore[attr-defined]
    yield
    before.set_current()


@pytest.fixture
def database(postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A migrated database of the test's own; every role's setting points at it."""
    made = clone(postgres, f"test_{os.getpid()}_{next(_numbers)}")
    with in_use_by(monkeypatch, made):
        yield made
    drop(made)


@pytest.fixture
def new_tenant(database: Database) -> Callable[[str], TestTenant]:
    """A function that creates a tenant in this test's database."""
    return make_tenant


@pytest.fixture
def acme(new_tenant: Callable[[str], TestTenant]) -> TestTenant:
    """One tenant."""
    return new_tenant("acme")


@pytest.fixture
def zeta(new_tenant: Callable[[str], TestTenant]) -> TestTenant:
    """The other tenant, whose things do not exist for acme."""
    return new_tenant("zeta")


LONG = (
    "bench/test_context.py",
    "bench/test_fairness.py",
    "bench/test_throughput.py",
    "demo/test_demo.py",
    "docs/test_test_your_tasks.py",
    "docs/test_use_celerys_canvas.py",
    "faults/",
    "prove/test_command.py",
    "prove/test_plugin.py",
    "workers/test_cut_off.py",
    "workers/test_life.py",
    "workers/test_postgres_away.py",
    "workers/test_shutdown.py",
)
"""Tests that start whole systems again and again, or wait for what takes its time. They share `make test-long`."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is long."""
    assert all((Path(__file__).parent / path).exists() for path in LONG)
    for item in items:
        path = item.path.relative_to(Path(__file__).parent).as_posix()
        if path.startswith(LONG):
            item.add_marker(pytest.mark.long)


LEFT_OUT = {
    "pgbouncer": ("what needs PgBouncer", "test-isolation"),
    "rabbitmq": ("what needs RabbitMQ", "test-isolation"),
    "matrix": ("most attacks", "test-isolation"),
    "long": ("what takes long", "test-long"),
}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what `make test` left out: pytest-xdist keeps the number of deselected tests to itself."""
    chosen: str = config.getoption("markexpr")
    left_out = [f"{said} (`make {target}`)" for marker, (said, target) in LEFT_OUT.items() if f"not {marker}" in chosen]
    if left_out:
        terminalreporter.write_line(f"Left out: {', '.join(left_out)}.")
