"""Running systems for the edges of Celery: each broker, with results that join chords natively and with others."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from cli.stack.broker import Broker
from cli.stack.ports import any_free_port
from cli.stack.postgres import EmbeddedPostgres
from db.roles import Role
from db.session import platform_connection
from db.tenants import open_tenant
from tasks.application import TenantCelery
from tasks.publisher import publishing_as
from tests.databases import PASSWORD, TestTenant, make_tenant
from tests.isolation.edges import body_tasks, canvases, state_tasks, walks
from tests.isolation.edges.footprints import create_footprints
from tests.isolation.edges.watching import Watcher
from tests.servers.rabbitmq import rabbitmq
from tests.site import AnyBroker, Site
from tests.waiting import wait_until

MODULES = ",".join([walks.NAME, canvases.NAME, body_tasks.NAME, state_tasks.NAME])


@dataclass(frozen=True)
class Setting:
    """What to run: which broker, how many slots the worker has, and where Celery keeps results."""

    broker: str
    slots: int
    joins_natively: bool

    @property
    def name(self) -> str:
        return f"{self.broker}_{self.slots}_{'native' if self.joins_natively else 'unlock'}"


class RabbitMQ:
    """A RabbitMQ for a site."""

    url = ""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @contextmanager
    def running(self) -> Iterator[None]:
        with rabbitmq(self._directory) as self.url:
            yield


@dataclass(frozen=True)
class Edges:
    """A dispatcher and a worker, two tenants, a producer, and somebody who listens to the events."""

    setting: Setting
    site: Site
    watcher: Watcher
    producer: TenantCelery
    results_url: str
    tenants: tuple[TestTenant, TestTenant]
    expected: Counter[tuple[str, str]] = field(default_factory=Counter)
    """The footprints that are to be there: (word, step)."""

    def take(self, tenant: TestTenant, walk: str, word: str) -> UUID:
        """Enqueue a job that takes the walk; return its id."""
        return self.site.enqueue(tenant, "edges.take", {"walk": walk, "word": word})

    def call(self, tenant: TestTenant, task_name: str, *, link: Sequence[Any] = (), **payload: Any) -> str:
        """Publish a call as a producer does, outside of any task; return its id."""
        with publishing_as(tenant.context, label=tenant.slug):
            return str(self.producer.send_task(task_name, kwargs=payload, link=list(link)).id)

    def ended(self, call: str) -> str | None:
        """Return how the call ended as far as Flower knows, None while it has not."""
        kinds = [event["type"] for event in self.watcher.events(call=call)]
        over = [kind for kind in kinds if kind in ("task-succeeded", "task-failed", "task-rejected", "task-revoked")]
        return over[-1] if over else None


@contextmanager
def running_edges(
    setting: Setting, postgres: EmbeddedPostgres, directory: Path, *, name: str = "edges", **environment: str
) -> Iterator[Edges]:
    """Start all of it; results are kept in the broker if that is a Redis, else in one of their own, or in files."""
    broker: AnyBroker = Broker(directory / "broker", any_free_port(), PASSWORD)
    results: AbstractContextManager[str] = _results(setting, broker, directory)
    if setting.broker == "rabbitmq":
        broker = RabbitMQ(directory)
    with (
        Site.running(
            postgres,
            directory,
            task_modules=MODULES,
            name=f"{name}_{setting.name}",
            broker=broker,
        ) as site,
        results as results_url,
        Watcher(broker.url).running() as watcher,
        TenantCelery("producer", broker=broker.url, set_as_current=False) as producer,
    ):
        create_footprints(site.database)
        site.environment |= {"PARTYWALL_RESULT_BACKEND_URL": results_url, **environment}
        producer.conf.update(task_default_queue="default", result_backend=results_url)
        pool = "prefork" if setting.slots == 1 else "threads"
        site.start_all(f"--pool={pool}", f"--concurrency={setting.slots}", "--max-tasks-per-child=100000")
        wait_until(lambda: watcher.events("worker-online"), timeout_seconds=10)
        tenants = _tenant("tenant-a"), _tenant("tenant-b")
        yield Edges(setting, site, watcher, producer, results_url, tenants)


def _tenant(slug: str) -> TestTenant:
    # An operator's context lives for an hour, an API key's for five minutes: too short for a hundred walks.
    tenant = make_tenant(slug)
    with platform_connection(Role.OPERATOR) as connection:
        return replace(tenant, context=open_tenant(connection, slug))


@contextmanager
def _results(setting: Setting, broker: AnyBroker, directory: Path) -> Iterator[str]:
    if not setting.joins_natively:
        folder = directory / "results"
        folder.mkdir()
        yield f"file://{folder}"
    elif setting.broker == "redis":
        yield broker.url.removesuffix("/0") + "/1"
    else:
        with broker.running():
            yield broker.url.removesuffix("/0") + "/1"


@pytest.fixture(
    scope="module",
    params=[
        Setting("redis", 1, joins_natively=True),
        Setting("redis", 4, joins_natively=False),
        pytest.param(Setting("rabbitmq", 1, joins_natively=False), marks=pytest.mark.rabbitmq),
        pytest.param(Setting("rabbitmq", 4, joins_natively=True), marks=pytest.mark.rabbitmq),
    ],
    ids=lambda setting: setting.name,
)
def setting(request: pytest.FixtureRequest) -> Setting:
    """What the tests of the module run on, one after the other."""
    chosen: Setting = request.param
    return chosen


@pytest.fixture(scope="module")
def edges(setting: Setting, postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edges]:
    """A running system for the module."""
    with running_edges(setting, postgres, tmp_path_factory.mktemp(setting.name)) as running:
        yield running


@pytest.fixture(
    scope="module",
    params=[
        Setting("redis", 1, joins_natively=True),
        pytest.param(Setting("rabbitmq", 1, joins_natively=True), marks=pytest.mark.rabbitmq),
    ],
    ids=lambda setting: setting.broker,
)
def system(
    request: pytest.FixtureRequest, postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Edges]:
    """A running system whose worker has one slot, looks often whether a tenant was resumed, and forgets calls soon."""
    directory = tmp_path_factory.mktemp("system")
    often = {"PARTYWALL_CALL_HOLD_SECONDS": "0.3", "PARTYWALL_CALL_LIFETIME_SECONDS": "5"}
    with running_edges(request.param, postgres, directory, name="system", **often) as running:
        yield running
