"""What the demo shows: steps with their time, bars while workers run, checks. In a pipe, the same as plain lines."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from cli.demo.checks import Check
from cli.demo.tally import Tally, TenantTally
from cli.output import printable

WIDTH_IN_A_PIPE = 100
MOST_BARS = 12
"""More tenants than this share one bar."""
LINE_SECONDS = 2.0
"""In a pipe, where bars are lines: how long from one to the next."""


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Take it for a Ctrl-C when whoever read us is gone, instead of raising wherever we happen to print.

        That may be while the stack is being stopped, which has to be done to its end.
        """
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        signal.raise_signal(signal.SIGINT)


class Screen:
    """The terminal or file that standard output is."""

    def __init__(self) -> None:
        self.console = _Console(highlight=False)
        if not self.console.is_terminal:
            self.console.width = WIDTH_IN_A_PIPE
        self._started_at = time.monotonic()
        speaks_unicode = self.console.encoding.lower().startswith("utf")
        self._marks = {True: "✓" if speaks_unicode else "ok", False: "✗" if speaks_unicode else "FAILED"}

    def heading(self, text: str) -> None:
        """Begin a part."""
        self.console.print()
        self.console.print(Text(text, style="bold"))

    def step(self, text: str) -> None:
        """Say what happened, and when: seconds since the demo began."""
        elapsed = f"{time.monotonic() - self._started_at:6.1f} s  "
        self.console.print(Text(elapsed, style="dim").append(printable(text), style="not dim"), soft_wrap=True)

    def line(self, text: str, *, style: str = "") -> None:
        """Print a line as it is, however long."""
        self.console.print(Text(printable(text), style=style), soft_wrap=True)

    def checks(self, checks: list[Check]) -> None:
        """Print each check on a line: mark, what was tried, what came of it."""
        table = Table.grid(padding=(0, 1))
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, justify="right")
        table.add_column(overflow="fold", min_width=26, max_width=42)
        table.add_column(overflow="fold")
        for check in checks:
            colour = "green" if check.passed else "bold red"
            table.add_row(
                Text(f"  {self._marks[check.passed]}", style=colour),
                Text(check.count, style="dim"),
                Text(printable(check.tried).replace("\n", " ")),
                Text(printable(check.answer), style="dim" if check.passed else colour),
            )
        self.console.print(table)

    @contextmanager
    def watching(self, tally: Tally, names: dict[str, str]) -> Iterator["Bars | Lines"]:
        """Show a tally as it grows; call `refresh()` when it has. `names` are the tenants' by their slug."""
        if not self.console.is_terminal:
            lines = Lines(self, tally)
            yield lines
            return
        progress = Progress(
            TextColumn("    {task.description}"),
            BarColumn(bar_width=30, complete_style="cyan", finished_style="green"),
            TextColumn("{task.completed:>9,.0f} of {task.total:,.0f} rows"),
            TextColumn("{task.fields[jobs]}", style="dim"),
            console=self.console,
        )
        with progress:
            yield Bars(progress, tally, names)


class Bars:
    """A bar for each tenant, or one for all where there are many."""

    def __init__(self, progress: Progress, tally: Tally, names: dict[str, str]) -> None:
        self._progress = progress
        self._bars: list[tuple[TaskID, list[TenantTally]]] = []
        if len(tally.of) <= MOST_BARS:
            for slug, each in tally.of.items():
                self._add(names[slug], [each])
        else:
            self._add(f"{len(tally.of)} tenants", list(tally.of.values()))

    def _add(self, title: str, tallies: list[TenantTally]) -> None:
        shown = printable(title).replace("[", r"\[")[:24]
        self._bars.append((self._progress.add_task(shown, total=1, jobs=""), tallies))
        self.refresh()

    def jobs(self) -> str:
        """Return how many jobs of all tenants have ended."""
        return _jobs([each for _, tallies in self._bars for each in tallies])

    def refresh(self) -> None:
        """Show what the tally says now."""
        for bar, tallies in self._bars:
            self._progress.update(
                bar,
                total=sum(each.rows for each in tallies),
                completed=sum(each.rows_done for each in tallies),
                jobs=_jobs(tallies),
            )


class Lines:
    """One line for all tenants, every now and then."""

    def __init__(self, screen: Screen, tally: Tally) -> None:
        self._screen = screen
        self._tallies = list(tally.of.values())
        self._said_at = time.monotonic()

    def jobs(self) -> str:
        """Return how many jobs of all tenants have ended."""
        return _jobs(self._tallies)

    def refresh(self) -> None:
        """Say what the tally says now, unless a line was printed just before."""
        if time.monotonic() - self._said_at >= LINE_SECONDS:
            self._said_at = time.monotonic()
            done, rows = (sum(each.rows_done for each in self._tallies), sum(each.rows for each in self._tallies))
            self._screen.step(f"{done:,} of {rows:,} rows, {_jobs(self._tallies)}")


def _jobs(tallies: list[TenantTally]) -> str:
    return f"{sum(each.jobs_ended for each in tallies)} of {sum(len(each.jobs) for each in tallies)} jobs"
