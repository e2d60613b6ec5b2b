"""Whatever an engine that sweeps nothing leaves on a connection is found by the next tenant's look."""

import pytest

from tasks import registry
from tasks.proof.prover import prove
from tasks.proof.report import Verdict
from tasks.proof.runner import Runner

TASKS = "tests.prove.littering_tasks"


@pytest.mark.parametrize(
    ("task_name", "thing"),
    [
        ("litter.setting", "setting statement_timeout"),
        ("litter.own_setting", "setting app.customer"),
        ("litter.token", "setting partywall.token"),
        ("litter.listener", "LISTEN gossip"),
        ("litter.lock", "advisory lock 4711"),
        ("litter.cursor", "cursor left_open"),
        ("litter.prepared", "prepared statement left_prepared"),
    ],
)
def test_what_is_left_on_the_connection_is_found_and_named(runner: Runner, task_name: str, thing: str) -> None:
    report = prove(runner, registry.declaration(task_name), examples=1)

    assert report.verdict is Verdict.LEAKS, report
    assert f"left on the connection: {thing}" in {leak.what for leak in report.leaks}
