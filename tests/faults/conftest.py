"""A running system for each module, whose line to the broker can be cut; and what the page promises to be seen."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from uuid import UUID

import pytest

from bench.chaos.black_hole import BlackHole
from bench.chaos.brokers import AnyBroker
from cli.stack.postgres import EmbeddedPostgres
from tests.databases import TestTenant, make_tenant
from tests.db.notes import create_notes
from tests.faults import fault_tasks
from tests.faults.page import sections
from tests.servers.brokers import broker_of_the_run, is_rabbitmq
from tests.site import Site
from tests.waiting import wait_until
from tests.workers import life_tasks

LEASE_SECONDS = 4
RESEND_SECONDS = 2
SLOTS = 2

See = Callable[[str], None]
Busy = Callable[[], AbstractContextManager[list[UUID]]]


@pytest.fixture(scope="module")
def server(postgres: EmbeddedPostgres) -> EmbeddedPostgres:
    """The PostgreSQL of the run. A module that restarts it has one of its own."""
    return postgres


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> AnyBroker:
    """A broker of the run's kind."""
    return broker_of_the_run(tmp_path_factory.mktemp("broker"))


@pytest.fixture(scope="module")
def site(
    server: EmbeddedPostgres,
    broker: AnyBroker,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[Site]:
    """A database and a broker. Nothing runs yet."""
    name = request.module.__name__.rpartition(".")[2]
    modules = f"{fault_tasks.NAME},{life_tasks.NAME}"
    directory = tmp_path_factory.mktemp(name)
    with Site.running(server, directory, task_modules=modules, name=name, broker=broker) as site:
        create_notes(site.database)
        site.environment["PARTYWALL_LEASE_SECONDS"] = str(LEASE_SECONDS)
        yield site


@pytest.fixture(scope="module")
def line(site: Site) -> Iterator[BlackHole]:
    """The line to the broker, of everybody who is started from now on."""
    with BlackHole.before(site.broker.url) as line:
        site.environment["PARTYWALL_BROKER_URL"] = line.url(site.broker.url)
        yield line


@pytest.fixture(scope="module")
def system(site: Site, line: BlackHole) -> Site:
    """The site with a dispatcher that sends again soon, a reaper and a worker of two slots."""
    return start(site, f"--concurrency={SLOTS}")


def start(site: Site, *worker_options: str, **worker_environment: str) -> Site:
    """Start all three; return when they run."""
    site.dispatcher = site.start_dispatcher(PARTYWALL_RESEND_AFTER_SECONDS=str(RESEND_SECONDS))
    reaper = site.start("reaper", "workers.reaper")
    site.worker = site.start_worker(*worker_options, **worker_environment)
    for agent in (site.dispatcher, reaper):
        agent.wait_for_line("agent_started", timeout_seconds=60)
    site.worker.wait_for_line(" ready.", timeout_seconds=60)
    return site


@pytest.fixture(scope="module")
def tenant(site: Site) -> TestTenant:
    """A tenant."""
    return make_tenant("acme")


@pytest.fixture
def busy(system: Site, tenant: TestTenant, tmp_path: Path) -> Busy:
    """A block in which bodies keep every slot of the worker; it yields their jobs. Afterwards they end."""

    @contextmanager
    def block() -> Iterator[list[UUID]]:
        go_on = tmp_path / "go_on"
        begun = [tmp_path / f"begun_{slot}" for slot in range(SLOTS)]
        jobs = [system.enqueue(tenant, "faults.waits", {"begun": str(each), "go_on": str(go_on)}) for each in begun]
        wait_until(lambda: all(each.exists() for each in begun), timeout_seconds=30, what="the bodies have begun")
        try:
            yield jobs
        finally:
            go_on.touch()

    return block


@pytest.fixture
def see(site: Site) -> See:
    """A function that waits until what the page shows of a fault stands in the logs, written since the test began."""
    written = {log.name: log.stat().st_size for log in site.directory.glob("*.log")}
    here = "RabbitMQ" if is_rabbitmq() else "Redis"

    def since(process: str) -> str:
        log = site.directory / f"{process}.log"
        return log.read_bytes()[written.get(log.name, 0) :].decode(errors="replace")

    def see(title: str) -> None:
        for each in sections()[title].lines:
            if each.broker in (None, here):
                wait_until(lambda: each.is_in(since(each.process)), timeout_seconds=15, what=f"{title}: {each}")  # noqa: B023

    return see
