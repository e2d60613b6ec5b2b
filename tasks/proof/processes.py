"""Processes of a system under test: each by the command line that production uses, with its output in a file."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from db.errors import PartywallError

# Where `celeryconfig.py` is. The project runs from its checkout, so it is found from here.
PROJECT = Path(__file__).resolve().parents[2]
STOP_SECONDS = 15.0

Value = TypeVar("Value")


class ProcessEndedError(PartywallError):
    """A process ended, or did not get ready."""


class NotInTimeError(PartywallError):
    """What was waited for did not happen in time."""


def wait_until(ask: Callable[[], Value], *, timeout_seconds: float, what: str, look_seconds: float = 0.01) -> Value:
    """Return the first true answer of `ask`, which is asked every `look_seconds`.

    Raises:
        NotInTimeError: there was none within the time.
    """
    deadline = time.monotonic() + timeout_seconds
    while not (answer := ask()):
        if time.monotonic() > deadline:
            raise NotInTimeError(f"{what}: not within {timeout_seconds:.0f} s")
        time.sleep(look_seconds)
    return answer


@dataclass
class Process:
    """One process and what it wrote."""

    popen: "subprocess.Popen[bytes]"
    log: Path

    def output(self, *, since: int = 0) -> str:
        """All that it wrote so far, or after the first `since` bytes."""
        return self.log.read_bytes()[since:].decode(errors="replace")

    def written(self) -> int:
        """How many bytes it wrote so far."""
        return self.log.stat().st_size

    def wait_for_line(self, text: str, *, timeout_seconds: float = 30) -> None:
        """Return when it wrote `text`.

        Raises:
            ProcessEndedError: it ended, or did not write it in time.
        """

        def said() -> bool:
            # First: what it wrote before its end counts.
            ended = self.popen.poll()
            if text in self.output():
                return True
            if ended is not None:
                raise ProcessEndedError(process=self.log.stem, exit_code=ended, hint=f"It wrote:\n{self._tail()}")
            return False

        try:
            wait_until(said, timeout_seconds=timeout_seconds, what=f"{text!r} in the log of {self.log.stem}")
        except NotInTimeError as error:
            raise ProcessEndedError(error.message, hint=f"It wrote:\n{self._tail()}") from None

    def _tail(self, lines: int = 20) -> str:
        return "\n".join(f"    {line}" for line in self.output().splitlines()[-lines:]) or "    nothing"


@contextmanager
def running(name: str, *module: str, directory: Path, environment: Mapping[str, str]) -> Iterator[Process]:
    """Run `python -m module...` while the block runs. Whatever it started ends with it."""
    log = directory / f"{name}.log"
    with log.open("ab") as output:
        popen = subprocess.Popen(
            [sys.executable, "-m", *module],
            env=module_environment(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield Process(popen, log)
    finally:
        _stop(popen)


def module_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return an environment in which `python -m` finds what this process can import.

    An adopter's tasks may come from anywhere on the path, and Partywall from a checkout that is nowhere installed.
    """
    given = environment.get("PYTHONPATH")
    path = [*([given] if given else []), str(PROJECT), *(each or str(Path.cwd()) for each in sys.path)]
    return {**environment, "PYTHONPATH": os.pathsep.join(dict.fromkeys(path)), "PYTHONUNBUFFERED": "1"}


def _stop(popen: "subprocess.Popen[bytes]") -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        if popen.poll() is None:
            # The whole session, so that a killed main leaves no child behind.
            os.killpg(popen.pid, number)
        try:
            popen.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        break
    try:
        os.killpg(popen.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
