"""The proof reads RabbitMQ's language too."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks import registry
from tasks.proof.prover import prove
from tasks.proof.report import Verdict
from tasks.proof.runner import Runner
from tasks.proof.tenants import ProofTenant
from tests.databases import Database
from tests.prove import leaky_tasks
from tests.prove.conftest import proof_site_on
from tests.prove.conftest import proven_database as proven_database
from tests.prove.conftest import task_module as task_module
from tests.servers.rabbitmq import rabbitmq

pytestmark = pytest.mark.rabbitmq

TASKS = leaky_tasks.NAME


@pytest.fixture(scope="module")
def runner(proven_database: Database, task_module: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    """A runner whose worker has RabbitMQ for a broker."""
    directory: Path = tmp_path_factory.mktemp("rabbitmq")
    with rabbitmq(directory) as url, proof_site_on(proven_database, url, task_module, directory) as site:
        yield Runner(site, (ProofTenant.create("A"), ProofTenant.create("B")))


def test_a_task_that_keeps_to_its_tenant_is_isolated(runner: Runner) -> None:
    report = prove(runner, registry.declaration("good.publishes"), examples=2)

    assert report.verdict is Verdict.ISOLATED, report


@pytest.mark.parametrize(
    ("task_name", "what"),
    [
        ("leaky.publishes_data", "sent a value of the payload to the broker"),
        ("leaky.shows_in_flower", "sent a value of the payload to the broker"),
        ("leaky.publishes_for_nobody", "published good.reads on queue default without a tenant"),
    ],
)
def test_what_goes_to_the_broker_is_found_and_named(runner: Runner, task_name: str, what: str) -> None:
    report = prove(runner, registry.declaration(task_name), examples=1)

    assert report.verdict is Verdict.LEAKS, report
    assert what in {leak.what for leak in report.leaks}
