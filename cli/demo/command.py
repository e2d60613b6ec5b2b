"""`partywall demo`: the whole system on one file of orders, and the wall tried from every side."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from cli.demo.checks import Check
from cli.demo.errors import ChecksFailedError, InputError
from cli.demo.generator import write_orders
from cli.demo.play import Play
from cli.demo.screen import Screen
from cli.demo.source import Source, inspect
from cli.demo.stage import Stage, staged
from cli.interruption import interrupted_once

Input = Annotated[
    Path | None,
    typer.Option("--input", metavar="FILE", help="A CSV file of orders; generated if left out.", show_default=False),
]
Keep = Annotated[bool, typer.Option("--keep", help="Leave it running and print where.")]
Rejected = Annotated[
    Path | None,
    typer.Option("--rejected", metavar="FILE", help="Write all rejected rows there, as CSV.", show_default=False),
]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(demo)


def demo(input_file: Input = None, keep: Keep = False, rejected_file: Rejected = None) -> None:
    """Run the whole system on a file of orders and try the wall between its tenants from every side.

    The first line of FILE names tenant, order_id, customer_id, ordered_at, sku, description, quantity and
    unit_price, in any order. A stack of its own is started in a new directory, stopped and removed.

    Exit codes: 0 all checks passed (the last line is "demo: ok"), 1 one failed, 2 FILE cannot be used.

    Example: partywall demo --input orders.csv
    """
    screen = Screen()
    source = inspect(input_file) if input_file is not None else None
    if rejected_file is not None:
        _require_writable(rejected_file, not_over=input_file)
    with interrupted_once(), _said_when_interrupted(screen, keep=keep):
        with staged(screen.step, keep=keep) as stage:
            checks = _perform(stage, source, screen, rejected_file)
            screen.heading("Left running" if keep else "The end")
        if keep:
            _show_where(stage, screen)
    _require_passed(checks, keep=keep)
    screen.line("demo: ok", style="bold green")


@contextmanager
def _said_when_interrupted(screen: Screen, *, keep: bool) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        screen.line("Interrupted: all is stopped" + (", and its directory kept." if keep else " and removed."))
        raise


def _perform(stage: Stage, source: Source | None, screen: Screen, rejected_file: Path | None) -> list[Check]:
    screen.heading("The input")
    folder = stage.home.root / "demo"
    folder.mkdir()
    if source is None:
        path = folder / "orders.csv"
        write_orders(path)
        source = inspect(path)
        screen.step(f"made up {source.records:,} orders: {path}")
    tenants = len(source.rows_of)
    screen.step(f"{source.path.name}: {source.records:,} records, {tenants} tenant{'s' if tenants > 1 else ''}")
    screen.heading("The stack")
    stage.open()
    return Play(source, stage.home, screen).run(rejected_file=rejected_file)


def _show_where(stage: Stage, screen: Screen) -> None:
    home = stage.home.root
    for name in ("api", "api_docs", "flower", "logs"):
        screen.line(f"  {name.replace('_', ' ').capitalize().replace('Api', 'API') + ':':<10} {stage.addresses[name]}")
    partywall = f"PARTYWALL_HOME={home} {os.path.relpath(sys.argv[0])}"
    screen.line(f"  Look:      {partywall} tenants list")
    screen.line(f"  Stop:      {partywall} down")
    screen.line(f"  Remove:    rm -r {home}")
    screen.console.print()


def _require_passed(checks: Sequence[Check], *, keep: bool) -> None:
    failed = [check for check in checks if not check.passed]
    if failed:
        raise ChecksFailedError(
            f"{len(failed)} of {len(checks)} checks failed: " + "; ".join(check.tried for check in failed),
            hint=None if keep else "To look at it, leave it running with --keep (KEEP=1).",
        )


def _require_writable(path: Path, *, not_over: Path | None) -> None:
    if not_over is not None and path.exists() and path.samefile(not_over):
        raise InputError(f"--rejected {path} is the input itself", hint="Name another file.")
    folder = path.absolute().parent
    if path.is_dir() or not os.access(path if path.exists() else folder, os.W_OK):
        raise InputError(f"--rejected {path} cannot be written", hint="Name a file in a directory of yours.")
