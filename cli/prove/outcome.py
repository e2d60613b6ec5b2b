"""What `partywall prove` says in the end: a line for each task, what leaked, and a last line that sums it up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich.text import Text

from cli.output import note, out, print_table, printable, say, span

if TYPE_CHECKING:
    from db.seeding import Unseeded
    from tasks.proof.report import TaskReport


@dataclass
class Outcome:
    """Every task's report, and what it took."""

    examples: int
    seed: int
    seconds: float = 0.0
    reports: "list[TaskReport]" = field(default_factory=list)
    unseeded: "Sequence[Unseeded]" = ()

    def is_proven(self, *, allow_failing: bool) -> bool:
        """Return whether nothing leaks, and nothing but what may be was left unproven."""
        good = {"isolated", "tenantless", *(["not proven"] if allow_failing else [])}
        return all(report.verdict in good for report in self.reports)

    def as_json(self, *, ok: bool) -> Mapping[str, Any]:
        """Return all of it."""
        return {
            "ok": ok,
            "seconds": round(self.seconds, 1),
            "examples": self.examples,
            "seed": self.seed,
            "tasks": [report.as_json() for report in self.reports],
            "tables_without_rows": [{"table": each.table, "reason": each.reason} for each in self.unseeded],
        }

    def show(self) -> None:
        """Print it for a person."""
        print_table(
            ("task", "runs", "rows A", "rows B", "verdict"),
            [_line(report) for report in self.reports],
            empty="There is no task: name your modules in PARTYWALL_TASK_MODULES.",
        )
        for report in self.reports:
            if report.leaks or report.reason:
                _show_details(report)
        for table in self.unseeded:
            note(f"Not watched: {table.table} took no row ({table.reason}). Let an example of the task fill it.")
        self._sum_up()

    def _sum_up(self) -> None:
        ran = [report for report in self.reports if report.runs]
        runs, foreign = sum(report.runs for report in ran), sum(report.foreign_rows for report in ran)
        isolated = sum(report.verdict == "isolated" for report in self.reports)
        asked = sum(report.verdict != "tenantless" for report in self.reports)
        out.print()
        say(
            f"{isolated} of {_count(asked, 'task')} proven in {span(self.seconds)}: {_count(runs, 'run')}, "
            f"{foreign or 'none'} with a row of the other tenant."
        )


def _line(report: "TaskReport") -> tuple[object, ...]:
    if not report.runs:
        return report.task, None, None, None, report.verdict.value
    rows = [report.rows_read[label] + report.rows_written[label] for label in ("A", "B")]
    return report.task, report.runs, *rows, report.verdict.value


def _show_details(report: "TaskReport") -> None:
    out.print()
    heading = Text(f"{report.task} ", style="bold").append(report.verdict.value, style="not bold")
    out.print(heading, soft_wrap=True)
    for leak, runs in report.leaks.most_common():
        out.print(Text(f"  {printable(str(leak))}  ").append(f"{runs} of {report.runs}", style="dim"), soft_wrap=True)
    if report.reason and not report.leaks:
        failed = sum(count for state, count in report.outcomes.items() if state != "succeeded")
        of = f"{failed} of {_count(report.runs, 'run')} failed: " if report.runs else ""
        out.print(Text(f"  {of}{printable(report.reason)}"), soft_wrap=True)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
