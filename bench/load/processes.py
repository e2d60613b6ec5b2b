"""The processes of one system, for one turn, and what they hold."""

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil

from bench.load.processor import cpu_seconds_of
from bench.load.system import Processes
from tasks.proof.processes import running

READY_SECONDS = 60.0


@contextmanager
def running_together(
    commands: Mapping[str, Sequence[str]],
    *,
    directory: Path,
    environment: Mapping[str, str],
    ready_lines: Mapping[str, str] | None = None,
) -> Iterator[Processes]:
    """Run `python -m command...` for each name while the block runs, which begins once each has written its line.

    Raises:
        ProcessEndedError: one ended, or did not get ready.
    """
    logs = Path(tempfile.mkdtemp(dir=directory))  # of this turn: an earlier turn's lines say nothing about this one
    with ExitStack() as stack:
        processes = {
            name: stack.enter_context(
                running(name, *command, directory=logs, environment={**os.environ, **environment})
            )
            for name, command in commands.items()
        }
        for name, line in (ready_lines or {}).items():
            processes[name].wait_for_line(line, timeout_seconds=READY_SECONDS)
        yield processes


def family(processes: Processes, prefix: str = "worker") -> list[psutil.Process]:
    """Return the processes whose names begin so, with all they started."""
    mains = [psutil.Process(each.popen.pid) for name, each in processes.items() if name.startswith(prefix)]
    return [each for main in mains for each in (main, *main.children(recursive=True))]


def resident_mib(processes: Processes, prefix: str = "worker") -> float:
    """Return how much memory they have resident, pages that forks share counted for each."""
    return sum(_resident(each) for each in family(processes, prefix)) / 2**20


def cpu_seconds(processes: Processes, prefix: str = "worker") -> float:
    """Return how long they have worked so far, with children that are gone."""
    return sum(cpu_seconds_of(each.popen.pid) for name, each in processes.items() if name.startswith(prefix))


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:  # a child that was replaced meanwhile
        return 0
