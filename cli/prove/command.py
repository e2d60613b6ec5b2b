"""The command itself: where, which tasks, and the exit code."""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.errors import BadInputError, RefusedError
from cli.exit_codes import ExitCode
from cli.interruption import interrupted_once
from cli.output import Json, err, note, print_json
from cli.prove.outcome import Outcome
from cli.prove.servers import servers
from cli.task_modules import load_task_modules

if TYPE_CHECKING:
    from tasks.declaration import TaskDeclaration

EXAMPLES = 5


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(prove)


def prove(
    tasks: Annotated[
        list[str] | None, typer.Argument(metavar="TASK", help="Only these; all if left out.", show_default=False)
    ] = None,
    examples: Annotated[
        int, typer.Option(min=1, max=1000, metavar="N", help="How often each is run, for either tenant.")
    ] = EXAMPLES,
    seed: Annotated[int, typer.Option(metavar="N", help="The same seed makes the same payloads.")] = 0,
    embedded: Annotated[
        bool, typer.Option("--embedded", help="On servers for the occasion, also where others are set.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Also on a database that has tenants.")] = False,
    allow_failing: Annotated[
        bool, typer.Option("--allow-failing", help="A task that could not be proven does not count.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Prove that no task lets one tenant's data reach another: run each for two of them on one connection, and watch.

    Without settings it starts a PostgreSQL and a broker for the occasion, with your tables in it. Payloads are made
    from each task's model, or taken from its examples.

    Exit codes: 0 all are isolated, 1 one leaks or could not be proven, 2 bad input, 3 not on this database.

    Example: partywall prove --examples 10
    """
    started = time.monotonic()
    with interrupted_once(), servers(_step, embedded=embedded, yes=yes) as stay:
        outcome = _prove(tasks or [], examples=examples, seed=seed, erases=stay)
    outcome.seconds = time.monotonic() - started
    is_proven = outcome.is_proven(allow_failing=allow_failing)
    if as_json:
        print_json(outcome.as_json(ok=is_proven))
    else:
        outcome.show()
    if not is_proven:
        raise typer.Exit(ExitCode.FAILED)


def _prove(names: Sequence[str], *, examples: int, seed: int, erases: bool) -> Outcome:
    # They bring Celery along, half a second that no other command should wait for.
    from db.detour import DetourImpossibleError
    from tasks.proof import prover
    from tasks.proof.payloads import HypothesisMissingError
    from tasks.proof.runner import OtherWorkerError, Runner
    from tasks.proof.site import BrokerUnwatchableError, DispatcherRunsError, ProofSite
    from tasks.proof.tenants import throwaway_pair

    declarations = _chosen(names)
    outcome = Outcome(examples=examples, seed=seed)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="partywall-prove-") as directory,
            ProofSite.running(Path(directory)) as site,
            throwaway_pair(site.observer, erases=erases, on_step=_step) as pair,
            err.status("") as status,
        ):
            _step("dispatcher and worker are running")
            runner = Runner(site, pair)
            for number, declaration in enumerate(declarations, start=1):
                status.update(f"{declaration.name}, {number} of {len(declarations)}")
                outcome.reports.append(prover.prove(runner, declaration, examples=examples, seed=seed))
            outcome.unseeded = runner.unseeded
    except (DetourImpossibleError, BrokerUnwatchableError, HypothesisMissingError) as error:
        raise BadInputError(error.message, hint=error.hint, **error.facts) from None
    except (DispatcherRunsError, OtherWorkerError) as error:
        raise RefusedError(error.message, hint=error.hint, **error.facts) from None
    return outcome


def _chosen(names: Sequence[str]) -> "Sequence[TaskDeclaration]":
    from tasks.proof.prover import provable_tasks

    load_task_modules()
    there = {declaration.name: declaration for declaration in provable_tasks()}
    unknown = [name for name in names if name not in there]
    if unknown:
        raise BadInputError(f"there is no task {unknown[0]}", hint=f"There are: {', '.join(there)}.")
    return [there[name] for name in names] if names else list(there.values())


def _step(text: str) -> None:
    note(f"  {text}")
