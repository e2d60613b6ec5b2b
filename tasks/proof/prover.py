"""Proving one task after the other: A, B, A, B, on one pooled connection."""

from collections.abc import Sequence
from itertools import cycle, islice
from typing import Any

from tasks import registry
from tasks.declaration import TaskDeclaration
from tasks.proof import look
from tasks.proof.evidence import Evidence
from tasks.proof.payloads import payloads_for
from tasks.proof.processes import NotInTimeError
from tasks.proof.report import TaskReport, Verdict
from tasks.proof.runner import ArrangementFailedError, Runner

OWN_TASKS = frozenset({look.NAME, look.ASYNC_NAME})
"""Our own jobs in a proof. By their whole names: an adopter's may begin the same."""


def provable_tasks() -> list[TaskDeclaration]:
    """Return every declared task, by name."""
    declared = registry.declared().values()
    return sorted((each for each in declared if each.name not in OWN_TASKS), key=lambda each: each.name)


def prove(
    runner: Runner,
    declaration: TaskDeclaration,
    *,
    examples: int,
    payloads: Sequence[Any] | None = None,
    seed: int = 0,
) -> TaskReport:
    """Run a task `examples` times for each tenant in turn, with `payloads` or its own; return what came of it.

    Raises:
        HypothesisMissingError: it has no examples, and nothing makes payloads.
        OtherWorkerError, LookFailedError: nothing can be proven here.
    """
    if declaration.tenantless:
        return TaskReport(declaration.name, Verdict.TENANTLESS)
    chosen = payloads or payloads_for(declaration, count=examples, seed=seed)
    if not chosen:
        reason = "no payload fits its model; give it some with @task(..., examples=[...])"
        return TaskReport(declaration.name, Verdict.NOT_PROVEN, reason=reason)
    return _Proof(runner, declaration).over(list(islice(cycle(chosen), examples)))


class _Proof:
    """One task's."""

    def __init__(self, runner: Runner, declaration: TaskDeclaration) -> None:
        self._runner = runner
        self._declaration = declaration
        self._report = TaskReport(declaration.name, Verdict.NOT_PROVEN)
        self._succeeded: set[str] = set()

    def over(self, payloads: Sequence[Any]) -> TaskReport:
        self._runner.warm_up(is_async=self._declaration.is_async)
        is_whole = True
        try:
            for payload in payloads:
                self._runner.seed()
                for tenant, other in self._runner.turns:
                    self._enter(self._runner.run(self._declaration, payload, tenant, other))
        except (ArrangementFailedError, NotInTimeError) as error:
            self._report.reason = str(error)
            is_whole = False
        self._judge(is_whole=is_whole)
        return self._report

    def _enter(self, evidence: Evidence) -> None:
        report, label = self._report, evidence.tenant.label
        report.runs += 1
        report.outcomes[evidence.state] += 1
        report.rows_read[label] += evidence.heard.rows_read[evidence.tenant.id]
        report.rows_written[label] += sum(change.rows for change in evidence.changes)
        report.leaks.update(set(evidence.leaks(self._runner.book)))
        if evidence.state == "succeeded":
            self._succeeded.add(label)
        elif report.reason is None:
            error = evidence.job.get("error") or {}
            # The rest of a message of PostgreSQL's is the statement.
            said = str(error.get("message", "")).partition("\n")[0]
            report.reason = f"{error.get('type', evidence.state)}: {said}"

    def _judge(self, *, is_whole: bool) -> None:
        report = self._report
        if report.leaks:
            report.verdict = Verdict.LEAKS
        elif is_whole and len(self._succeeded) == len(self._runner.turns):
            # A run or two may fail: what nobody foresaw is in the payloads too.
            report.verdict, report.reason = Verdict.ISOLATED, None
