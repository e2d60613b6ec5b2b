"""`partywall up`, `down` and `status`: the embedded stack from the terminal."""

import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated

import typer

from cli.exit_codes import ExitCode
from cli.interruption import interrupted_once
from cli.output import Json, note, print_fields, print_json, print_table, say, span
from cli.stack.deadline import wait_until
from cli.stack.errors import StackAlreadyRunningError
from cli.stack.home import Home
from cli.stack.stack import Stack
from cli.stack.supervisor_client import ProcessStatus, State
from db.settings import home

LABELS = {
    "api": "API",
    "api_docs": "API docs",
    "flower": "Flower",
    "postgres": "PostgreSQL",
    "broker": "Broker",
    "logs": "Logs",
    "home": "Home",
}

Detach = Annotated[bool, typer.Option("--detach", "-d", help="Return once all runs; `partywall down` stops it.")]


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    for command in (up, down, status):
        app.command()(command)


def up(detach: Detach = False, as_json: Json = False) -> None:
    """Start PostgreSQL, broker, API, workers and Flower, and stay until Ctrl-C.

    Exit codes: 0 stopped (with --detach: running), 1 something failed, 3 a stack is already running from here,
    130 interrupted before all was up; nothing runs then.
    """
    stack = Stack(Home(home()))
    with interrupted_once():
        try:
            addresses = stack.up(_say)
        except StackAlreadyRunningError as running:
            _show_running(running, stack, as_json=as_json)
            raise typer.Exit(ExitCode.REFUSED) from running
        except KeyboardInterrupt:
            note("Interrupted; nothing runs.")
            raise typer.Exit(ExitCode.INTERRUPTED) from None
        try:
            if as_json:
                print_json({"addresses": addresses})
            else:
                _show(addresses)
            sys.stdout.flush()  # we stay; whoever reads a pipe would wait for us to end
            note("Stop it with: partywall down" if detach else "Ctrl-C stops it.")
            if not detach:
                _stay(stack)
        except KeyboardInterrupt:
            note("Stopping; a worker gets 40 s to finish its jobs.")
            stack.down(_say)
            note("Stopped. The data stays; `partywall up` goes on with it.")


def _stay(stack: Stack) -> None:
    wait_until(lambda: not stack.is_running(), timeout_seconds=float("inf"), interval_seconds=0.5)
    if stack.clear_up(_say):
        note("The supervisor was killed. What it left running has been stopped.")
        raise typer.Exit(ExitCode.FAILED)
    note("Stopped by `partywall down`.")


def down(as_json: Json = False) -> None:
    """Stop what `partywall up` started. Exit code 0, also when nothing was running."""
    stack = Stack(Home(home()))
    was_running = stack.down(_say)
    if as_json:
        print_json({"was_running": was_running})
    else:
        say("Stopped." if was_running else f"Nothing was running from {stack.home.root}.")


def status(as_json: Json = False) -> None:
    """Show what runs and where.

    Exit codes: 0 all of it runs, 1 not all of it, 3 no stack runs from here.
    """
    stack = Stack(Home(home()))
    now = stack.status()
    if as_json:
        processes = {name: asdict(process) for name, process in now.processes.items()}
        print_json({"running": bool(now.processes), "processes": processes, "addresses": now.addresses})
    elif now.processes:
        _show_processes(now.processes)
        _show(now.addresses)
    else:
        say(f"No stack runs from {stack.home.root}. Start one with: partywall up")
    if not now.processes:
        raise typer.Exit(ExitCode.REFUSED)
    if any(process.state is not State.RUNNING for process in now.processes.values()):
        raise typer.Exit(ExitCode.FAILED)


def _show_running(running: StackAlreadyRunningError, stack: Stack, *, as_json: bool) -> None:
    addresses = stack.status().addresses
    if as_json:
        print_json({"already_running": True, "addresses": addresses})
        return
    note(f"A stack is already running from this home (supervisor pid {running.facts['pid']}):")
    _show(addresses)
    note(running.hint or "")


def _show_processes(processes: Mapping[str, ProcessStatus]) -> None:
    print_table(
        ["process", "verdict", "pid", "up for", "remark"],
        [
            (
                name,
                "ok" if process.state is State.RUNNING else "fail",
                process.pid,
                span(process.uptime_seconds),
                process.detail or process.state.value.lower(),
            )
            for name, process in processes.items()
        ],
        empty="",
    )


def _show(addresses: Mapping[str, str]) -> None:
    print_fields({LABELS.get(name, name): address for name, address in addresses.items()})


def _say(step: str) -> None:
    note(f"  {step}")
