"""`partywall up`, `down` and `status`: the embedded stack from the terminal."""

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.stack.deadline import wait_until
from cli.stack.errors import StackAlreadyRunningError
from cli.stack.home import Home
from cli.stack.stack import PROCESSES, Stack
from cli.stack.supervisor_client import State
from db.settings import home

NOT_AS_ASKED = 3
"""The exit code of an `up` that found a stack running, and of a `status` that found none."""

LABELS = {
    "api": "API",
    "api_docs": "API docs",
    "flower": "Flower",
    "postgres": "PostgreSQL",
    "broker": "Broker",
    "logs": "Logs",
    "home": "Home",
}

out = Console()
err = Console(stderr=True)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")]
Detach = Annotated[
    bool, typer.Option("--detach", "-d", help="Return once everything runs; stop it with `partywall down`.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    for command in (up, down, status):
        app.command()(command)


def up(detach: Detach = False, as_json: Json = False) -> None:
    """Start PostgreSQL, broker, API, workers and Flower, and stay until Ctrl-C.

    Exit codes: 0 stopped (with --detach: running), 1 something failed, 3 a stack is already running here.
    """
    stack = Stack(Home(home()))
    try:
        with _interrupted_by_signals():
            addresses = stack.up(_say)
            if as_json:
                print(json.dumps({"addresses": addresses}), flush=True)
            else:
                _show(addresses, "Partywall is running")
            if detach:
                err.print("Stop it with: [bold]partywall down[/]")
                return
            err.print("Ctrl-C stops it.")
            wait_until(lambda: not stack.is_running(), timeout_seconds=float("inf"), interval_seconds=0.5)
    except StackAlreadyRunningError as running:
        _refuse(running, stack, as_json=as_json)
    except KeyboardInterrupt:
        if stack.is_running():
            err.print("\nStopping; a worker gets 40 s to finish its jobs.")
            with _deaf_to_signals():
                stack.down(_say)
        err.print("Stopped. The data stays; `partywall up` goes on with it.")
        return
    if stack.clear_up(_say):
        err.print("The supervisor was killed. What it left running has been stopped.")
        raise typer.Exit(1)
    err.print("Stopped by `partywall down`.")


def down(as_json: Json = False) -> None:
    """Stop what `partywall up` started. Exit code 0, also when nothing was running."""
    stack = Stack(Home(home()))
    was_running = stack.down(_say)
    if as_json:
        print(json.dumps({"was_running": was_running}))
    else:
        out.print(
            "Stopped." if was_running else f"Nothing was running from {stack.home.root}.", highlight=False
        )


def status(as_json: Json = False) -> None:
    """Show what runs and where. Exit codes: 0 all of it, 1 not all of it, 3 no stack runs from here."""
    stack = Stack(Home(home()))
    now = stack.status()
    if as_json:
        processes = {name: asdict(process) for name, process in now.processes.items()}
        print(
            json.dumps({"running": bool(now.processes), "processes": processes, "addresses": now.addresses})
        )
    elif now.processes:
        table = Table("Process", "State", "Pid", "Up for", "Remark", title=f"Stack in {stack.home.root}")
        for name in [name for name in PROCESSES if name in now.processes]:
            process = now.processes[name]
            colour = "green" if process.state is State.RUNNING else "red"
            pid, since = str(process.pid or ""), _duration(process.uptime_seconds)
            table.add_row(name, f"[{colour}]{process.state.value.lower()}[/]", pid, since, process.detail)
        out.print(table)
        _show(now.addresses, None)
    else:
        out.print(f"No stack runs from {stack.home.root}. Start one with: partywall up", highlight=False)
    if not now.processes:
        raise typer.Exit(NOT_AS_ASKED)
    if any(process.state is not State.RUNNING for process in now.processes.values()):
        raise typer.Exit(1)


def _refuse(running: StackAlreadyRunningError, stack: Stack, *, as_json: bool) -> None:
    addresses = stack.status().addresses
    if as_json:
        print(json.dumps({"already_running": True, "addresses": addresses}))
    else:
        _show(addresses, f"A stack is already running (pid {running.facts['pid']})")
        err.print(running.hint, highlight=False)
    raise typer.Exit(NOT_AS_ASKED)


def _show(addresses: dict[str, str], title: str | None) -> None:
    table = Table(title=title, show_header=False)
    for name, address in addresses.items():
        # Not folded or cut: somebody will want to copy it.
        table.add_row(LABELS.get(name, name), f"[bold]{address}[/]")
    out.print(table)


def _say(step: str) -> None:
    # On stderr, so that --json leaves one object on stdout.
    err.print(f"  {step}", highlight=False, markup=False)


def _duration(seconds: int) -> str:
    hours, rest = divmod(seconds, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if seconds else ""


@contextmanager
def _interrupted_by_signals() -> Iterator[None]:
    """Let TERM and HUP (the terminal was closed) end the block as Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, interrupt) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


@contextmanager
def _deaf_to_signals() -> Iterator[None]:
    """Go through with stopping: a second Ctrl-C would leave half of it running."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
