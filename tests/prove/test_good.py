"""Tasks that keep to their tenant pass, whatever they do."""

import pytest

from tasks import registry
from tasks.proof.prover import prove
from tasks.proof.report import Verdict
from tasks.proof.runner import Runner
from tests.prove import good_tasks

TASKS = good_tasks.NAME


@pytest.mark.parametrize(
    "task_name",
    [
        "good.writes",
        "good.reads",
        "good.marks",
        "good.derives",
        "good.is_given",
        "good.loses_its_connection",
        "good.enqueues",
        "good.enqueues_later",
        "good.publishes",
        "good.awaits",
    ],
)
def test_a_task_that_keeps_to_its_tenant_is_isolated(runner: Runner, task_name: str) -> None:
    report = prove(runner, registry.declaration(task_name), examples=3)

    assert (report.verdict, report.reason) == (Verdict.ISOLATED, None), report
    assert report.outcomes == {"succeeded": 6}


def test_what_a_task_touches_is_counted_for_each_tenant(runner: Runner) -> None:
    written = prove(runner, registry.declaration("good.writes"), examples=2)
    left_to_others = prove(runner, registry.declaration("good.enqueues"), examples=1)
    read = prove(runner, registry.declaration("good.reads"), examples=1)

    assert written.rows_written == {"A": 2, "B": 2}
    # The other job, its attempt, and what it wrote.
    assert left_to_others.rows_written == {"A": 3, "B": 3}
    # The three that were written, and one for each time both were given something to lose.
    assert read.rows_read == {"A": 7, "B": 7}


def test_a_tenantless_task_is_not_run(runner: Runner) -> None:
    report = prove(runner, registry.declaration("good.tenantless"), examples=1)

    assert (report.verdict, report.runs) == (Verdict.TENANTLESS, 0)
